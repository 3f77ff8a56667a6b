"""Judges what the program said in one script, or sums the judgements up. Used by run.sh.

judge.py case SCRIPT OUTPUT EXIT TWIN RESULTS   prints a row of the table, keeps it in RESULTS
judge.py sum RESULTS                            prints the sums and what was said, word for word
"""
import json
import re
import sys

LEVELS = ("cannot-tell", "likely", "certain")
JUDGEMENTS = (
    "right-certain",
    "right-likely",
    "honest cannot-tell",
    "wrong-likely",
    "WRONG-CERTAIN",
    "self-check failed",
)


def head_of(script):
    """The `# key: value` lines at the beginning; a line that goes on is indented."""
    head, last = {}, None
    for line in open(script).read().splitlines()[1:]:
        if not line.startswith("#"):
            break
        if key := re.match(r"# ([a-z]+): (.*)", line):
            last = key[1]
            head.setdefault(last, []).append(key[2])
        elif last:
            head[last][-1] += " " + line[1:].strip()
    return head


def expectation(line):
    form = re.fullmatch(r"([a-z|-]+) certainty<=([a-z-]+)( if-named)?", line)
    if not form or form[2] not in LEVELS:
        sys.exit(f"not an expectation: {line}")
    return form[1].split("|"), form[2], bool(form[3])


def shown_expectations(lines):
    """For the table: the same codes once, with the surer level that naming the cause allows."""
    parts = {}
    for codes, bound, if_named in map(expectation, lines):
        parts.setdefault(" ".join(f"`{code}`" for code in codes), {})[if_named] = bound
    shown = []
    for codes, bounds in parts.items():
        text = f"{codes} {bounds[False]}" if False in bounds else codes
        if True in bounds:
            named = f"{bounds[True]} if named"
            text += f" ({named})" if False in bounds else f" {named}"
        shown.append(text)
    return " or ".join(shown)


def judge(head, said, twin):
    first = said.splitlines()[0] if said else ""
    verdict = re.search(r"\[([a-z-]+), (certain|likely|cannot-tell)\]$", first)
    if not verdict:
        return first, None, None, "-", "self-check failed"
    code, level = verdict[1], verdict[2]
    text = " ".join(said.split())
    named = any(re.search(rule, text, re.I) for rule in head.get("says", []))
    false = any(re.search(rule, text, re.I) for rule in head.get("false", []))
    expected = [expectation(line) for line in head["expect"]]
    if twin:
        named, false, expected = True, False, [(["ok"], "certain", False)]
    allowed = any(
        code in codes
        and LEVELS.index(level) <= LEVELS.index(bound)
        and (named or not only_if_named)
        for codes, bound, only_if_named in expected
    )
    if level == "cannot-tell":
        judgement = "honest cannot-tell"
    elif allowed:
        judgement = "right-certain" if level == "certain" else "right-likely"
    else:
        judgement = "WRONG-CERTAIN" if level == "certain" else "wrong-likely"
    cause = "-" if twin else "false" if false else "yes" if named else "no"
    return first, code, level, cause, judgement


def case(script, output, code, twin, results):
    head = head_of(script)
    name = re.sub(r".*/|\.sh$", "", script)
    everything = open(output, errors="replace").read()
    said = everything.partition("== said\n")[2].rpartition("== exit")[0]
    first, verdict, level, cause, judgement = judge(head, said, twin == "1")
    if code != "0":
        judgement = "self-check failed"
        first = (everything.splitlines() or ["nothing was printed"])[-1]
    expected = shown_expectations(head["expect"])
    if twin == "1":
        expected = "`ok` certain"
    shown = f"`{verdict}`, {level}" if verdict else "-"
    print(f"| {name} | {expected} | {shown} | {cause} | {judgement} |", flush=True)
    with open(results, "a") as file:
        json.dump({"name": name, "first": first, "cause": cause, "judgement": judgement}, file)
        file.write("\n")


def total(results):
    rows = [json.loads(line) for line in open(results)]
    counts = {one: sum(row["judgement"] == one for row in rows) for one in JUDGEMENTS}
    print()
    for one, count in counts.items():
        if count or one != "self-check failed":
            print(f"{one}: {count}")
    named = sum(row["cause"] == "yes" for row in rows)
    false = sum(row["cause"] == "false" for row in rows)
    print(f"of {len(rows)}; names the cause: {named}; says what is false of it: {false}")
    print("\nWhat was said:\n")
    for row in rows:
        print(f"- {row['name']}: {row['first']}")
    if counts["WRONG-CERTAIN"] or counts["self-check failed"]:
        sys.exit(1)


if sys.argv[1] == "case":
    case(*sys.argv[2:])
else:
    total(sys.argv[2])
