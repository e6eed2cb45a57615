//! The same scenario with a venue of another kind, so that one network can be tried in every place.

use toml::Spanned;

use super::{ModelError, Scenario, VenueKind, check, error};

impl Scenario {
    /// The same with the venue `name` as `venues/LIKE.toml` describes it. What the scenario says of that venue in place of
    /// a file's words, it still says.
    ///
    /// # Errors
    /// The nearest known name of a venue or of a kind, or what is wrong there.
    pub fn with_venue_like(mut self, name: &str, like: &str) -> Result<Self, ModelError> {
        let known: Vec<String> = self
            .venues
            .iter()
            .map(|v| v.name.get_ref().clone())
            .collect();
        let Some(venue) = self.venues.iter_mut().find(|v| v.name.get_ref() == name) else {
            let nearest = error::nearest(name, &known);
            return Err(self
                .source
                .error(format!("there is no venue {name:?}{nearest}")));
        };
        // The line in which it said otherwise.
        venue.like = Spanned::new(venue.like.span(), like.to_owned());
        let but = venue.but.as_ref();
        venue.kind = VenueKind::load(&self.home, &venue.like, but, &self.source)?;
        check::check(&self)?;
        Ok(self)
    }
}
