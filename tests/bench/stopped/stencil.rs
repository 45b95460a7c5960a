//! A text with holes: what differs from engine to engine is filled in when somebody asks.

/// What goes into a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// The engine's name.
    Name,
    /// Its namespace.
    Namespace,
    /// Its uid.
    Uid,
    /// The uid of the object itself.
    OwnUid,
    /// The version of the object.
    Version,
    /// The end of the name of the brain's first key.
    Suffix,
    /// The stamp of what was applied.
    Stamp,
    /// The digest with which the engine came to rest, if it has: the whole field.
    Settled,
}

/// The text.
#[derive(Debug)]
pub struct Stencil(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Hole(Hole),
}

impl Stencil {
    /// Makes a hole of each place where one of these words is; of the longest, where more than one is.
    pub fn cut(text: &str, words: &[(String, Hole)]) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        loop {
            let found = words
                .iter()
                .filter_map(|(word, hole)| Some((rest.find(word)?, word.len(), *hole)))
                .min_by_key(|(place, length, _)| (*place, usize::MAX - length));
            let Some((place, length, hole)) = found else {
                break;
            };
            let (before, after) = rest.split_at(place);
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Hole(hole));
            rest = after.split_at(length).1;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Self(pieces)
    }

    /// How many of these holes it has.
    pub fn count(&self, hole: Hole) -> usize {
        let hole = Piece::Hole(hole);
        self.0.iter().filter(|piece| **piece == hole).count()
    }

    /// Writes the text; `put` fills a hole.
    pub fn fill(&self, into: &mut String, put: impl Fn(Hole, &mut String)) {
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => into.push_str(text),
                Piece::Hole(hole) => put(*hole, into),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(stencil: &Stencil) -> String {
        let mut text = String::new();
        stencil.fill(&mut text, |hole, text| {
            text.push_str(if hole == Hole::Name { "bob" } else { "9" });
        });
        text
    }

    #[test]
    fn every_place_is_filled_and_all_else_stays() {
        let words = [
            ("alice".to_owned(), Hole::Name),
            ("77".to_owned(), Hole::Version),
        ];
        let stencil = Stencil::cut("alice-brain of alice, 777: alic", &words);
        assert_eq!(filled(&stencil), "bob-brain of bob, 97: alic");
        assert_eq!(stencil.count(Hole::Name), 2);
        assert_eq!(filled(&Stencil::cut("", &words)), "");
    }

    #[test]
    fn of_two_words_at_one_place_the_longer_is_meant() {
        let words = [
            ("u-1".to_owned(), Hole::Name),
            ("u-12".to_owned(), Hole::OwnUid),
        ];
        assert_eq!(filled(&Stencil::cut("u-12 u-1", &words)), "9 bob");
    }
}
