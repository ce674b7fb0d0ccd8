//! JSON, read from bytes wherever it comes from: serde's code for each type is then in the browser's program
//! once, and not a second time for text (55 kB less of it).

use leptos::server::codee::{Decoder, Encoder};
use leptos::prelude::{ArcResource, Resource};
use serde::{Serialize, de::DeserializeOwned};

/// How a resource travels inside the page.
pub struct PageJson;

impl<T: Serialize> Encoder<T> for PageJson {
    type Error = serde_json::Error;
    type Encoded = String;

    fn encode(value: &T) -> Result<String, Self::Error> {
        serde_json::to_string(value)
    }
}

impl<T: DeserializeOwned> Decoder<T> for PageJson {
    type Error = serde_json::Error;
    type Encoded = str;

    fn decode(text: &str) -> Result<T, Self::Error> {
        serde_json::from_slice(text.as_bytes())
    }
}

/// A resource that the page waits for, so that what arrives is complete and its status is right.
pub fn awaited<S, T, Fut>(
    source: impl Fn() -> S + Send + Sync + 'static,
    fetch: impl Fn(S) -> Fut + Send + Sync + 'static,
) -> Resource<T, PageJson>
where
    S: PartialEq + Clone + Send + Sync + 'static,
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    Resource::from(ArcResource::<T, PageJson>::new_with_options(source, fetch, true))
}
