//! The kinds of resources a file can declare, parsed into what the layers take.

use super::{
    Environment,
    fields::{Fields, Located, Mistake, Source},
};
use crate::nearest::hint;
use contract::{Email, KeyScope, NanoUsd, Password, ProviderKind, Role, Slug, Timestamp, TokenPrice};
use gateway::NewProvider;
use metering::{NewPlan, NewPrice};
use registry::{Behaviour, CachePolicy, Disconnect, ModelConfig, Strategy, Target};
use std::str::FromStr;
use tenancy::{DeclaredKey, GivenSecret, NewKey, NewTenant};
use toml::de::{DeTable, DeValue};

/// Kinds that can be declared, in the order in which they are written.
const KINDS: [&str; 8] = ["provider", "plan", "model", "price", "tenant", "user", "api_key", "usage"];
/// Kinds of the contract that have nothing behind them yet.
const LATER: [&str; 1] = ["prompt"];

/// Everything a file declares.
#[derive(Default)]
pub struct Resources {
    pub providers: Vec<Located<NewProvider>>,
    pub plans: Vec<Located<NewPlan>>,
    pub models: Vec<Located<Model>>,
    pub prices: Vec<Located<NewPrice>>,
    pub tenants: Vec<Located<NewTenant>>,
    pub users: Vec<Located<User>>,
    pub keys: Vec<Located<Key>>,
    pub usage: Vec<Located<Usage>>,
    /// Every name that was declared and its line, also of resources that are wrong otherwise: a reference to
    /// one of those is not a second mistake.
    pub declared: Vec<(&'static str, Located<String>)>,
}

/// A model and where each of its targets stands.
pub struct Model {
    pub config: ModelConfig,
    pub target_lines: Vec<usize>,
}

pub struct User {
    /// None: an operator.
    pub tenant: Option<Located<Slug>>,
    pub email: Email,
    pub role: Role,
    pub password: Option<Password>,
}

/// A tenant's key, and where its references stand.
pub struct Key {
    pub declared: DeclaredKey,
    pub tenant_line: usize,
    pub model_lines: Vec<usize>,
}

/// Past traffic of a tenant, for a demo.
pub struct Usage {
    pub tenant: Located<Slug>,
    pub model: Located<String>,
    pub days: i64,
    pub requests_per_day: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

/// At most this many seeded requests a declaration: it is a demo's past, not a load test.
const MOST_SEEDED: i64 = 50_000;

impl Resources {
    /// Reads a file; what cannot be read is among the mistakes.
    pub fn parse(text: &str, environment: Environment<'_>) -> (Self, Vec<Mistake>) {
        let source = Source(text);
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut mistakes: Vec<_> = errors
            .iter()
            .map(|error| Mistake {
                line: error.span().map_or(1, |span| source.line(span.start)),
                message: error.message().replace('\n', ", "),
            })
            .collect();
        let mut resources = Self::default();
        // After an error of syntax the rest is guesswork.
        if !mistakes.is_empty() {
            return (resources, mistakes);
        }
        for (name, value) in document.get_ref() {
            let line = source.line(name.span().start);
            let Some(kind) = KINDS.into_iter().find(|kind| *kind == name.get_ref().as_ref()) else {
                mistakes.push(Mistake { line, message: unknown_kind(name.get_ref()) });
                continue;
            };
            let DeValue::Array(tables) = value.get_ref() else {
                mistakes.push(Mistake { line, message: format!("begin each {kind} with [[{kind}]]") });
                continue;
            };
            for table in tables {
                let DeValue::Table(fields) = table.get_ref() else {
                    let line = source.line(table.span().start);
                    mistakes.push(Mistake { line, message: format!("begin each {kind} with [[{kind}]]") });
                    continue;
                };
                let mut fields = Fields::new(source, kind, table.span().start, fields, &mut mistakes);
                resources.read(kind, &mut fields, environment);
                fields.finish();
            }
        }
        resources.refuse_repeated(&mut mistakes);
        (resources, mistakes)
    }

    fn read(&mut self, kind: &'static str, fields: &mut Fields<'_, '_>, environment: Environment<'_>) {
        let line = fields.line;
        match kind {
            "provider" => push(&mut self.providers, line, provider(fields, environment, &mut self.declared)),
            "plan" => push(&mut self.plans, line, plan(fields, &mut self.declared)),
            "model" => push(&mut self.models, line, model(fields, &mut self.declared)),
            "price" => push(&mut self.prices, line, price(fields)),
            "tenant" => push(&mut self.tenants, line, tenant(fields, &mut self.declared)),
            "user" => push(&mut self.users, line, user(fields, environment, &mut self.declared)),
            "api_key" => push(&mut self.keys, line, api_key(fields, environment, &mut self.declared)),
            _ => push(&mut self.usage, line, usage(fields)),
        }
    }

    /// Whether the file itself declares it.
    pub fn declares(&self, kind: &str, name: &str) -> bool {
        self.declared.iter().any(|(its_kind, its_name)| *its_kind == kind && its_name.value == name)
    }

    fn refuse_repeated(&self, mistakes: &mut Vec<Mistake>) {
        for (index, (kind, name)) in self.declared.iter().enumerate() {
            let earlier = self.declared.iter().take(index);
            if let Some((_, first)) = earlier.into_iter().find(|(k, n)| k == kind && n.value == name.value) {
                let message = format!("the {kind} “{}” is declared on line {} already", name.value, first.line);
                mistakes.push(Mistake { line: name.line, message });
            }
        }
    }
}

fn unknown_kind(name: &str) -> String {
    if LATER.contains(&name) {
        return format!("[[{name}]] arrives with a later version of Seam; leave it out for now");
    }
    format!("there is no kind of resource “{name}”{}", hint(name, KINDS.into_iter().chain(LATER)))
}

fn push<T>(list: &mut Vec<Located<T>>, line: usize, value: Option<T>) {
    list.extend(value.map(|value| Located { line, value }));
}

type Declared = Vec<(&'static str, Located<String>)>;

fn declare(declared: &mut Declared, fields: &Fields<'_, '_>, kind: &'static str, key: &str, name: Option<&str>) {
    declared.extend(name.map(|name| (kind, Located { line: fields.line_of(key), value: name.to_owned() })));
}

/// The value of a variable that a field names.
fn from_environment(fields: &mut Fields<'_, '_>, key: &'static str, environment: Environment<'_>) -> Option<String> {
    let variable = fields.text(key)?;
    let value = environment(&variable).filter(|value| !value.is_empty());
    if value.is_none() {
        let line = fields.line_of(key);
        fields.mistake(line, format!("{key} names the variable {variable}, which is not set; export it and try again"));
    }
    value
}

fn provider(fields: &mut Fields<'_, '_>, environment: Environment<'_>, declared: &mut Declared) -> Option<NewProvider> {
    let name = fields.required::<Slug>("name");
    declare(declared, fields, "provider", "name", name.as_ref().map(Slug::as_str));
    let kind = fields.required::<ProviderKind>("kind");
    let base_url = fields.text("base_url");
    let written_key = fields.text("api_key");
    let environment_key = from_environment(fields, "api_key_env", environment);
    if written_key.is_some() && environment_key.is_some() {
        let line = fields.line_of("api_key");
        fields.mistake(line, "api_key and api_key_env are both given; keep one of them");
    }
    let (region, zero_retention) = (fields.text("region"), fields.truth("zero_retention"));
    let (timeout_ms, max_retries) = (fields.integer("timeout_ms"), fields.integer("max_retries"));
    let (options, enabled, own_keys) = (fields.json("options"), fields.truth("enabled"), fields.truth("own_keys"));
    let mut provider = NewProvider::new(name?.as_str(), kind?);
    provider.base_url = base_url;
    provider.api_key = written_key.or(environment_key);
    provider.region = region;
    provider.zero_retention = zero_retention.unwrap_or(provider.zero_retention);
    provider.timeout_ms = timeout_ms.unwrap_or(provider.timeout_ms);
    provider.max_retries = max_retries.unwrap_or(provider.max_retries);
    provider.options = options.unwrap_or(provider.options);
    provider.enabled = enabled;
    provider.own_keys = own_keys;
    Some(provider)
}

fn plan(fields: &mut Fields<'_, '_>, declared: &mut Declared) -> Option<NewPlan> {
    let name = fields.required::<Slug>("name");
    declare(declared, fields, "plan", "name", name.as_ref().map(Slug::as_str));
    let monthly_fee = fields.required::<NanoUsd>("monthly_fee");
    let included_credit = fields.parsed::<NanoUsd>("included_credit");
    let overage_markup = fields.required::<Millionths>("overage_markup");
    let requests_per_minute = fields.integer("requests_per_minute");
    let tokens_per_minute = fields.integer("tokens_per_minute");
    let max_concurrent = fields.integer("max_concurrent");
    Some(NewPlan {
        name: name?.to_string(),
        monthly_fee: monthly_fee?,
        included_credit: included_credit.unwrap_or_default(),
        overage_markup_millionths: overage_markup?.0,
        requests_per_minute,
        tokens_per_minute,
        max_concurrent,
    })
}

fn model(fields: &mut Fields<'_, '_>, declared: &mut Declared) -> Option<Model> {
    let name = fields.required_text("name");
    declare(declared, fields, "model", "name", name.as_deref());
    let strategy = fields.parsed::<Strategy>("strategy").unwrap_or(Strategy::Fallback);
    let (mut targets, mut target_lines) = (Vec::new(), Vec::new());
    fields.tables("targets", |mut target| {
        let provider = target.required_text("provider");
        let model = target.required_text("model");
        let weight = target.integer("weight");
        if let (Some(provider), Some(model)) = (provider, model) {
            let weight = weight.map_or(Some(Target::default_weight()), |weight| u32::try_from(weight).ok());
            match weight {
                Some(weight) => targets.push(Target { provider, model, weight }),
                None => target.mistake(target.line_of("weight"), "weight must be a whole number of 0 or more"),
            }
            target_lines.push(target.line);
        }
        target.finish();
    });
    let behaviour = behaviour(fields);
    Some(Model { config: ModelConfig { name: name?, strategy, targets, behaviour }, target_lines })
}

fn behaviour(fields: &mut Fields<'_, '_>) -> Behaviour {
    let deadline_ms = fields.integer("deadline_ms");
    let hedge_percentile = fields.integer("hedge_percentile");
    let on_disconnect = fields.parsed::<Disconnect>("on_disconnect").unwrap_or_default();
    let cache = fields.json("cache").and_then(|written| {
        let policy = serde_json::from_value::<CachePolicy>(written);
        policy
            .map_err(|error| {
                let line = fields.line_of("cache");
                fields.mistake(line, format!("cache cannot be read ({error}); write it like {{ ttl_s = 3600 }}"));
            })
            .ok()
    });
    Behaviour { deadline_ms, hedge_percentile, on_disconnect, cache }
}

fn price(fields: &mut Fields<'_, '_>) -> Option<NewPrice> {
    let provider = fields.required_text("provider");
    let model = fields.required_text("model");
    let input = fields.required::<NanoUsd>("input");
    let cached_input = fields.parsed::<NanoUsd>("cached_input");
    let cache_write = fields.parsed::<NanoUsd>("cache_write");
    let output = fields.required::<NanoUsd>("output");
    let reasoning = fields.parsed::<NanoUsd>("reasoning");
    let batch_discount = fields.parsed::<Millionths>("batch_discount");
    let effective_from = fields.moment("effective_from");
    if effective_from.is_none() && fields.line_of("effective_from") == fields.line {
        // Without a date each application would be another price.
        let line = fields.line;
        fields.mistake(line, "this price has no effective_from; add the moment from which it holds");
    }
    Some(NewPrice {
        provider: provider?,
        model: model?,
        input: TokenPrice::per_million(input?),
        cached_input: cached_input.map(TokenPrice::per_million),
        cache_write: cache_write.map(TokenPrice::per_million),
        output: TokenPrice::per_million(output?),
        reasoning: reasoning.map(TokenPrice::per_million),
        batch_discount_millionths: batch_discount.map(|discount| discount.0),
        effective_from: Timestamp::from_millis(effective_from?.as_millisecond()),
    })
}

fn tenant(fields: &mut Fields<'_, '_>, declared: &mut Declared) -> Option<NewTenant> {
    let slug = fields.required::<Slug>("name");
    declare(declared, fields, "tenant", "name", slug.as_ref().map(Slug::as_str));
    let display_name = fields.text("display_name");
    let plan = fields.text("plan");
    let monthly_budget = fields.parsed::<NanoUsd>("monthly_budget");
    let soft_budget = fields.parsed::<NanoUsd>("soft_budget");
    let region = fields.text("region");
    let zero_retention = fields.truth("zero_retention").unwrap_or(false);
    let slug = slug?;
    let display_name = display_name.unwrap_or_else(|| slug.to_string());
    Some(NewTenant { slug, display_name, plan, monthly_budget, soft_budget, region, zero_retention })
}

fn user(fields: &mut Fields<'_, '_>, environment: Environment<'_>, declared: &mut Declared) -> Option<User> {
    let tenant = fields.parsed::<Slug>("tenant");
    let tenant_line = fields.line_of("tenant");
    let email = fields.required::<Email>("email");
    let role = fields.parsed::<Role>("role");
    // The same person may be a member of several tenants: one declaration each.
    let identity = email.as_ref().map(|email| match &tenant {
        Some(tenant) => format!("{email} of {tenant}"),
        None => email.to_string(),
    });
    declare(declared, fields, "user", "email", identity.as_deref());
    let password = from_environment(fields, "password_env", environment).and_then(|text| {
        Password::chosen(text)
            .map_err(|error| {
                let line = fields.line_of("password_env");
                fields.mistake(line, format!("the password that password_env names cannot be used: {error}"));
            })
            .ok()
    });
    if tenant.is_none() && role.is_some() && fields.line_of("tenant") == fields.line {
        let line = fields.line_of("role");
        fields.mistake(line, "a role is one in a tenant; add tenant, or leave role out for an operator");
    }
    let tenant = tenant.map(|slug| Located { line: tenant_line, value: slug });
    Some(User { tenant, email: email?, role: role.unwrap_or(Role::Member), password })
}

fn api_key(fields: &mut Fields<'_, '_>, environment: Environment<'_>, declared: &mut Declared) -> Option<Key> {
    let tenant = fields.required::<Slug>("tenant");
    let tenant_line = fields.line_of("tenant");
    let name = fields.required_text("name");
    let identity = tenant.as_ref().zip(name.as_ref()).map(|(tenant, name)| format!("{name} of {tenant}"));
    declare(declared, fields, "api_key", "name", identity.as_deref());
    let secret = from_environment(fields, "secret_env", environment).map(GivenSecret::new);
    if let Some(Err(error)) = &secret {
        let line = fields.line_of("secret_env");
        fields.mistake(line, format!("the secret that secret_env names cannot be used: {error}"));
    }
    let manage = fields.truth("manage").unwrap_or(false);
    let (model_lines, models): (Vec<_>, Option<Vec<_>>) = match fields.texts("models") {
        None => (Vec::new(), None),
        Some(models) => {
            let lines = models.iter().map(|model| model.line).collect();
            (lines, Some(models.into_iter().map(|model| model.value).collect()))
        }
    };
    let expires_at = fields.moment("expires_at");
    if fields.text("budget").is_some() {
        // A bound that binds nothing would be worse than none.
        let line = fields.line_of("budget");
        fields
            .mistake(line, "Seam does not enforce the budget of a key yet and takes none; leave it out until it does");
    }
    let scopes = if manage { KeyScope::ALL.to_vec() } else { vec![KeyScope::Inference] };
    let expires_at = expires_at.map(|at| Timestamp::from_millis(at.as_millisecond()));
    let key = NewKey { name: name?, scopes, models, expires_at };
    let declared = DeclaredKey { tenant: tenant?, key, secret: secret.and_then(Result::ok) };
    Some(Key { declared, tenant_line, model_lines })
}

fn usage(fields: &mut Fields<'_, '_>) -> Option<Usage> {
    let tenant = fields.required::<Slug>("tenant");
    let model = fields.required_text("model");
    let mut positive = |key: &'static str| {
        let number = fields.required_integer(key)?;
        if number > 0 {
            return Some(number);
        }
        let line = fields.line_of(key);
        fields.mistake(line, format!("{key} must be above zero"));
        None
    };
    let (days, requests_per_day) = (positive("days"), positive("requests_per_day"));
    let (input_tokens, output_tokens) = (positive("input_tokens"), positive("output_tokens"));
    if let (Some(days), Some(requests)) = (days, requests_per_day)
        && days.saturating_mul(requests) > MOST_SEEDED
    {
        let line = fields.line_of("requests_per_day");
        fields.mistake(line, format!("days × requests_per_day is above {MOST_SEEDED}; a demo needs less"));
        return None;
    }
    Some(Usage {
        tenant: Located { line: fields.line_of("tenant"), value: tenant? },
        model: Located { line: fields.line_of("model"), value: model? },
        days: days?,
        requests_per_day: requests_per_day?,
        input_tokens: input_tokens?,
        output_tokens: output_tokens?,
    })
}

/// A decimal factor in millionths, exactly.
struct Millionths(i64);

impl FromStr for Millionths {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || format!("“{text}” is not a factor with up to six decimals, such as \"1.4\"");
        let nanos = text.parse::<NanoUsd>().map_err(|_| refused())?.as_nanos();
        if nanos % 1000 == 0 { Ok(Self(nanos / 1000)) } else { Err(refused()) }
    }
}
