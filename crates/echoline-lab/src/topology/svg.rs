//! A topology as SVG: the tree of the text drawing, from left to right, readable in light and dark.

use std::fmt::Write;

use super::draw::{Branch, Thing, words};
use super::{Kind, Topology};

const COLUMN: usize = 290;
const ROW: usize = 96;
const BOX: (usize, usize) = (200, 80);
/// Between the box on the left and the corner of a line: what is right of it belongs to the link's name.
const BEND: usize = 16;
const MARGIN: usize = 20;

/// Boxes and lines as they are laid out, leaf by leaf.
#[derive(Default)]
struct Canvas {
    boxes: String,
    lines: String,
    rows: usize,
    columns: usize,
}

impl Topology {
    /// The drawing as a self-contained SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let mut canvas = Canvas::default();
        for tree in self.trees() {
            place(&mut canvas, &tree, 0);
        }
        let (width, height) = (canvas.columns * COLUMN + 2 * MARGIN, canvas.rows * ROW + 2 * MARGIN);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<style>\n\
             svg {{ color-scheme: light dark; font: 13px sans-serif; }}\n\
             rect {{ fill: none; stroke: currentColor; }}\n.switch {{ stroke-dasharray: 4 3; }}\n\
             path {{ fill: none; stroke: currentColor; }}\ntext {{ fill: currentColor; }}\n\
             .name {{ font-weight: bold; }}\n.small {{ font-size: 11px; }}\n\
             @media (prefers-color-scheme: dark) {{ svg {{ color: #ddd; background: #1b1b1b; }} }}\n\
             </style>\n{}{}</svg>\n",
            escape(&self.name),
            escape(&self.about),
            canvas.lines,
            canvas.boxes
        )
    }
}

/// Draws a branch and what hangs on it; returns the height of its middle.
fn place(canvas: &mut Canvas, branch: &Branch<'_>, column: usize) -> usize {
    canvas.columns = canvas.columns.max(column + 1);
    let below: Vec<_> = branch.below.iter().map(|next| (place(canvas, next, column + 1), next)).collect();
    let middle = match (below.first(), below.last()) {
        (Some((first, _)), Some((last, _))) => usize::midpoint(*first, *last),
        _ => {
            canvas.rows += 1;
            MARGIN + canvas.rows * ROW - ROW / 2
        }
    };
    let left = MARGIN + column * COLUMN;
    for (there, next) in &below {
        let (from, to) = (left + BOX.0, left + COLUMN);
        let bend = from + BEND;
        // Writing to a string cannot fail.
        let _ = writeln!(canvas.lines, "<path d=\"M{from} {middle} H{bend} V{there} H{to}\"/>");
        if let Some((link, _)) = next.by {
            let _ = writeln!(
                canvas.lines,
                "<text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                to - 3,
                there - 4,
                escape(link)
            );
        }
    }
    draw_box(canvas, branch, left, middle);
    middle
}

fn draw_box(canvas: &mut Canvas, branch: &Branch<'_>, left: usize, middle: usize) {
    let (class, name, lines) = match branch.thing {
        Thing::Switch(name) => ("switch", name, vec!["switch".to_owned()]),
        Thing::Node(node) => {
            let mut lines = Vec::new();
            for interface in &node.interfaces {
                // A router's interfaces have names that mean something, and it has no room for every address.
                let (name, most) = match node.kind {
                    Kind::Host => (String::new(), 2),
                    Kind::Router => (format!("{} ", interface.name), 1),
                };
                lines.extend(interface.addresses.iter().take(most).map(|address| format!("{name}{address}")));
            }
            lines.push(words(node).join(", "));
            ("node", node.name.as_str(), lines)
        }
    };
    let (top, x) = (middle - BOX.1 / 2, left + 8);
    let _ = writeln!(
        canvas.boxes,
        "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"4\"/>\n\
         <text class=\"name\" x=\"{x}\" y=\"{}\">{}</text>",
        BOX.0,
        BOX.1,
        top + 16,
        escape(name)
    );
    for (number, line) in lines.iter().filter(|line| !line.is_empty()).take(4).enumerate() {
        let y = top + 31 + 14 * number;
        let _ = writeln!(canvas.boxes, "<text class=\"small\" x=\"{x}\" y=\"{y}\">{}</text>", escape(line));
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_escapes_what_a_file_says() {
        let text = "name = \"x\"\nabout = \"<script>\"\nhost.a.addresses = [\"192.0.2.1/24\"]\n\
                    host.b.addresses = [\"192.0.2.2/24\"]\nlink.w.between = [\"a\", \"b\"]\n";
        let svg = Topology::parse(text, "x.toml").expect("sound").svg();
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 2);
    }
}
