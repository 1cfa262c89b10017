//! A table as text: what goldens hold and outputs are compared as.

/// How a golden is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A header and rows.
    Csv,
    /// One row a line, in a single column.
    Lines,
}

/// Named columns of text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// A golden that is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SheetError {
    #[error("the file is empty: not even a header")]
    Empty,
    #[error("the column {0} stands twice in the header")]
    Twice(String),
    #[error("{0}")]
    Csv(String),
}

impl Sheet {
    /// Lines as a table of one column.
    #[must_use]
    pub fn lines(lines: impl IntoIterator<Item = String>) -> Self {
        Self { columns: vec!["line".to_owned()], rows: lines.into_iter().map(|line| vec![line]).collect() }
    }

    /// Reads what [`Sheet::print`] wrote or a person.
    ///
    /// # Errors
    /// When it is no table; lines always are one.
    pub fn parse(form: Form, text: &str) -> Result<Self, SheetError> {
        match form {
            Form::Lines => Ok(Self::lines(text.lines().map(str::to_owned))),
            Form::Csv => Self::parse_csv(text),
        }
    }

    fn parse_csv(text: &str) -> Result<Self, SheetError> {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let wrong = |error: csv::Error| SheetError::Csv(told(&error));
        let columns: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
        if columns.is_empty() {
            return Err(SheetError::Empty);
        }
        if let Some((_, twice)) = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name)) {
            return Err(SheetError::Twice(twice.clone()));
        }
        let cells = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
        let rows = reader.records().map(|record| record.map(cells)).collect::<Result<_, _>>().map_err(wrong)?;
        Ok(Self { columns, rows })
    }

    /// As a golden holds it.
    #[must_use]
    pub fn print(&self, form: Form) -> String {
        if form == Form::Lines {
            return self.rows.iter().map(|row| row.concat() + "\n").collect();
        }
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            writer.write_record(row).expect("memory takes every row, and rows are as long as the header");
        }
        let bytes = writer.into_inner().expect("memory takes every row");
        String::from_utf8(bytes).expect("cells are text")
    }

    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The same rows with only these columns, in this order; those that are not here are left out.
    #[must_use]
    pub fn pick(&self, columns: &[String]) -> Self {
        let at: Vec<usize> = columns.iter().filter_map(|name| self.column(name)).collect();
        let take = |row: &Vec<String>| at.iter().map(|&k| row[k].clone()).collect();
        Self { columns: take(&self.columns), rows: self.rows.iter().map(take).collect() }
    }
}

fn told(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} cells where the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn csv(text: &str) -> Result<Sheet, SheetError> {
        Sheet::parse(Form::Csv, text)
    }

    #[test]
    fn what_is_printed_reads_back() {
        let sheet = csv("a,b\n1,\"x, y\"\n,\n").unwrap();
        assert_eq!(sheet.rows, [["1", "x, y"], ["", ""]]);
        assert_eq!(csv(&sheet.print(Form::Csv)).unwrap(), sheet);
        let lines = Sheet::lines(["one".to_owned(), "two, three".to_owned()]);
        assert_eq!(Sheet::parse(Form::Lines, &lines.print(Form::Lines)).unwrap(), lines);
    }

    #[test]
    fn what_is_no_table_says_why() {
        assert_eq!(csv(""), Err(SheetError::Empty));
        assert_eq!(csv("a,b,a\n"), Err(SheetError::Twice("a".to_owned())));
        assert_eq!(csv("a,b\n1,2\n3\n").unwrap_err().to_string(), "line 3 has 1 cells where the header has 2");
    }

    #[test]
    fn columns_are_picked_in_the_order_asked_for() {
        let picked = csv("a,b,c\n1,2,3\n").unwrap().pick(&["c".to_owned(), "z".to_owned(), "a".to_owned()]);
        assert_eq!(
            (picked.columns, picked.rows),
            (vec!["c".to_owned(), "a".to_owned()], vec![vec!["3".to_owned(), "1".to_owned()]])
        );
    }
}
