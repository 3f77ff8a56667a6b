//! Frames as they pass a link: written as pcap, or decoded to one line a segment.
