//! How a report looks: as text, and as a page.

pub(super) mod html;
mod svg;
pub(super) mod text;
