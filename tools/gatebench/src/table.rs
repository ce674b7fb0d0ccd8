//! The results, as lines.

#[derive(Default)]
pub struct Table {
    rows: Vec<(String, String, Option<bool>, String)>,
}

impl Table {
    /// `met`: whether the goal is; none where there is no goal.
    pub fn row(&mut self, what: &str, values: &[f64], met: Option<bool>, goal: &str) {
        let shown: Vec<String> = values.iter().map(|value| shown(*value)).collect();
        self.rows.push((what.to_owned(), shown.join(" / "), met, goal.to_owned()));
    }

    pub fn print(&self) {
        let width = self.rows.iter().map(|(what, ..)| what.chars().count()).max().unwrap_or(0);
        for (what, values, met, goal) in &self.rows {
            let mark = match met {
                Some(true) => "✓",
                Some(false) => "✗",
                None => " ",
            };
            println!("{mark} {what:width$}  {values:24}  goal {goal}");
        }
    }

    pub fn met(&self) -> bool {
        self.rows.iter().all(|(_, _, met, _)| met.unwrap_or(true))
    }
}

fn shown(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
