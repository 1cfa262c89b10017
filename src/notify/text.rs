//! Text that is safe to show, and stops growing.

/// Without line breaks and other control characters: a message cannot forge a line of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text that stops growing at its bound.
#[derive(Debug)]
pub struct Cut {
    pub text: String,
    chars: usize,
    max: usize,
    is_full: bool,
}

impl Cut {
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { text: String::new(), chars: 0, max, is_full: false }
    }

    /// Adds a piece, whole or not at all.
    pub fn put(&mut self, piece: &str) {
        let chars = piece.chars().count();
        // One place is kept for the sign that there was more.
        if !self.is_full && self.chars + chars < self.max {
            self.text.push_str(piece);
            self.chars += chars;
        } else if !self.is_full {
            self.text.push('…');
            self.is_full = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_on_its_line() {
        assert_eq!(one_line("a\nERROR forged\r\u{1b}[31m"), "a ERROR forged  [31m");
    }

    #[test]
    fn text_stops_growing() {
        let mut cut = Cut::new(5);
        ["ab", "cd", "ef", "g"].iter().for_each(|piece| cut.put(piece));
        assert_eq!(cut.text, "abcd…");
    }
}
