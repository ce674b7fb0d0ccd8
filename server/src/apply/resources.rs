//! The kinds of resources a file can declare, parsed into what the layers take.

use super::{
    Environment,
    fields::{Fields, Located, Mistake, Source},
};
use crate::nearest::hint;
use contract::{Email, KeyScope, NanoUsd, Password, ProviderKind, Role, Slug, Timestamp, TokenPrice};
use gateway::NewProvider;
use metering::{Millionths, NewPlan, NewPrice};
use registry::{Behaviour, CachePolicy, Disconnect, ModelConfig, Strategy, Target};
use tenancy::{DeclaredKey, GivenSecret, NewKey, NewTenant};
use toml::de::{DeTable, DeValue};

/// Kinds that can be declared, in the order in which they are written.
const KINDS: [&str; 8] = ["provider", "plan", "model", "price", "tenant", "user", "api_key", "usage"];
/// Kinds of the contract that have nothing behind them yet.
const LATER: [&str; 1] = ["prompt"];

/// In place of a name that cannot be read, so that the rest of a resource is looked at all the same.
const UNNAMED: &str = "unnamed";

/// What a file declares, and what it refers to.
#[derive(Default)]
pub struct Names {
    /// Every name that was declared and its line, also of resources that are wrong otherwise: a reference to
    /// one of those is not a second mistake.
    pub declared: Vec<(&'static str, Located<String>)>,
    /// Every name of another resource and its line, also in resources that are wrong otherwise.
    pub references: Vec<(&'static str, Located<String>)>,
    /// The secrets of keys, each at the line that names its variable.
    secrets: Vec<Located<GivenSecret>>,
}

/// Everything a file declares.
#[derive(Default)]
pub struct Resources {
    pub providers: Vec<Located<NewProvider>>,
    pub plans: Vec<Located<NewPlan>>,
    pub models: Vec<Located<ModelConfig>>,
    pub prices: Vec<Located<NewPrice>>,
    pub tenants: Vec<Located<NewTenant>>,
    pub users: Vec<Located<User>>,
    pub keys: Vec<Located<DeclaredKey>>,
    pub usage: Vec<Located<Usage>>,
    pub names: Names,
}

pub struct User {
    /// None: an operator.
    pub tenant: Option<Slug>,
    pub email: Email,
    pub role: Role,
    pub password: Option<Password>,
}

/// Past traffic of a tenant, for a demo.
pub struct Usage {
    pub tenant: Slug,
    pub model: String,
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
        let (line, names) = (fields.line, &mut self.names);
        match kind {
            "provider" => push(&mut self.providers, line, provider(fields, environment, names)),
            "plan" => push(&mut self.plans, line, plan(fields, names)),
            "model" => push(&mut self.models, line, model(fields, names)),
            "price" => push(&mut self.prices, line, price(fields, names)),
            "tenant" => push(&mut self.tenants, line, tenant(fields, names)),
            "user" => push(&mut self.users, line, user(fields, environment, names)),
            "api_key" => push(&mut self.keys, line, api_key(fields, environment, names)),
            _ => push(&mut self.usage, line, usage(fields, names)),
        }
    }

    /// Whether the file itself declares it.
    pub fn declares(&self, kind: &str, name: &str) -> bool {
        self.names.declared.iter().any(|(its_kind, its_name)| *its_kind == kind && its_name.value == name)
    }

    fn refuse_repeated(&self, mistakes: &mut Vec<Mistake>) {
        for (index, (kind, name)) in self.names.declared.iter().enumerate() {
            let earlier = self.names.declared.iter().take(index);
            if let Some((_, first)) = earlier.into_iter().find(|(k, n)| k == kind && n.value == name.value) {
                let message = format!("the {kind} “{}” is declared on line {} already", name.value, first.line);
                mistakes.push(Mistake { line: name.line, message });
            }
        }
        for (index, secret) in self.names.secrets.iter().enumerate() {
            if let Some(first) = self.names.secrets.iter().take(index).find(|first| first.value == secret.value) {
                let message = format!(
                    "the secret that secret_env names is that of the key on line {} already; make one for each key",
                    first.line
                );
                mistakes.push(Mistake { line: secret.line, message });
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

impl Names {
    fn declare(&mut self, fields: &Fields<'_, '_>, kind: &'static str, key: &str, name: Option<&str>) {
        self.declared.extend(named(fields, kind, key, name));
    }

    fn refer(&mut self, fields: &Fields<'_, '_>, kind: &'static str, key: &str, name: Option<&str>) {
        self.references.extend(named(fields, kind, key, name));
    }
}

fn named(
    fields: &Fields<'_, '_>,
    kind: &'static str,
    key: &str,
    name: Option<&str>,
) -> Option<(&'static str, Located<String>)> {
    name.map(|name| (kind, Located { line: fields.line_of(key), value: name.to_owned() }))
}

/// The value of a variable that a field names.
fn from_environment(fields: &mut Fields<'_, '_>, key: &'static str, environment: Environment<'_>) -> Option<String> {
    let variable = fields.text(key)?;
    if variable.trim().is_empty() {
        let line = fields.line_of(key);
        fields.mistake(line, format!("{key} is empty; write the name of a variable, or leave {key} out"));
        return None;
    }
    let value = environment(&variable).filter(|value| !value.is_empty());
    if value.is_none() {
        let line = fields.line_of(key);
        fields.mistake(line, format!("{key} names the variable {variable}, which is not set; export it and try again"));
    }
    value
}

fn provider(fields: &mut Fields<'_, '_>, environment: Environment<'_>, names: &mut Names) -> Option<NewProvider> {
    let name = fields.required::<Slug>("name");
    names.declare(fields, "provider", "name", name.as_ref().map(Slug::as_str));
    let kind = fields.required::<ProviderKind>("kind");
    let base_url = fields.text("base_url");
    let written_key = fields.text("api_key");
    let environment_key = from_environment(fields, "api_key_env", environment);
    if written_key.is_some() && environment_key.is_some() {
        let line = fields.line_of("api_key");
        fields.mistake(line, "api_key and api_key_env are both given; keep one of them");
    }
    let key_field = if written_key.is_some() { "api_key" } else { "api_key_env" };
    let (region, zero_retention) = (fields.text("region"), fields.truth("zero_retention"));
    let (timeout_ms, max_retries) = (fields.integer("timeout_ms"), fields.integer("max_retries"));
    let whole_timeout_ms = fields.integer("whole_timeout_ms");
    let (options, enabled, own_keys) = (fields.json("options"), fields.truth("enabled"), fields.truth("own_keys"));
    // Of a kind that cannot be read, one that has an address and a key.
    let assumed = kind.unwrap_or(ProviderKind::Openai);
    let mut provider = NewProvider::new(name.as_ref().map_or(UNNAMED, Slug::as_str), assumed);
    provider.base_url = base_url;
    provider.api_key = written_key.or(environment_key);
    provider.region = region;
    provider.zero_retention = zero_retention.unwrap_or(provider.zero_retention);
    provider.timeout_ms = timeout_ms.unwrap_or(provider.timeout_ms);
    provider.whole_timeout_ms = whole_timeout_ms.unwrap_or(provider.whole_timeout_ms);
    provider.max_retries = max_retries.unwrap_or(provider.max_retries);
    provider.options = options.unwrap_or(provider.options);
    provider.enabled = enabled;
    provider.own_keys = own_keys;
    let faults = provider.faults().into_iter().filter(|(field, _)| kind.is_some() || *field != "options");
    let faults = faults.map(|(field, reason)| (if field == "api_key" { key_field } else { field }, reason)).collect();
    fields.faults_of(faults);
    name.and(kind).map(|_| provider)
}

fn plan(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<NewPlan> {
    let name = fields.required::<Slug>("name");
    names.declare(fields, "plan", "name", name.as_ref().map(Slug::as_str));
    let monthly_fee = fields.required::<NanoUsd>("monthly_fee");
    let included_credit = fields.parsed::<NanoUsd>("included_credit");
    let overage_markup = fields.required::<Millionths>("overage_markup");
    let requests_per_minute = fields.integer("requests_per_minute");
    let tokens_per_minute = fields.integer("tokens_per_minute");
    let max_concurrent = fields.integer("max_concurrent");
    let plan = NewPlan {
        name: name.as_ref().map_or(UNNAMED, Slug::as_str).to_owned(),
        monthly_fee: monthly_fee.unwrap_or_default(),
        included_credit: included_credit.unwrap_or_default(),
        overage_markup_millionths: overage_markup.as_ref().map_or(0, |markup| markup.0),
        requests_per_minute,
        tokens_per_minute,
        max_concurrent,
    };
    fields.faults_of(plan.faults());
    name.and(monthly_fee).and(overage_markup).map(|_| plan)
}

fn model(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<ModelConfig> {
    let name = fields.required_text("name");
    names.declare(fields, "model", "name", name.as_deref());
    let strategy = fields.parsed::<Strategy>("strategy").unwrap_or(Strategy::Fallback);
    let before = fields.mistakes();
    let mut targets = Vec::new();
    fields.tables("targets", |fields| targets.extend(target(fields, names)));
    let targets_are_read = fields.mistakes() == before;
    let behaviour = behaviour(fields, names);
    let model = ModelConfig {
        name: name.clone().unwrap_or_else(|| UNNAMED.to_owned()),
        strategy,
        targets,
        behaviour: Behaviour { cache: None, ..behaviour.clone() },
    };
    // Of targets that cannot be read, how many there are is guesswork. A cache was asked at its own fields.
    let faults = model.faults().into_iter().filter(|(field, _)| targets_are_read || *field != "targets");
    fields.faults_of(faults.collect());
    name.map(|_| ModelConfig { behaviour, ..model })
}

fn target(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<Target> {
    let provider = fields.required_text("provider");
    names.refer(fields, "provider", "provider", provider.as_deref());
    let model = fields.required_text("model");
    let weight = fields.integer("weight").map(|weight| u32::try_from(weight.max(0)).unwrap_or(u32::MAX));
    let target = Target {
        provider: provider.clone().unwrap_or_default(),
        model: model.clone().unwrap_or_else(|| UNNAMED.to_owned()),
        weight: weight.unwrap_or_else(Target::default_weight),
    };
    fields.faults_of(target.faults());
    provider.and(model).map(|_| target)
}

fn behaviour(fields: &mut Fields<'_, '_>, names: &mut Names) -> Behaviour {
    let deadline_ms = fields.integer("deadline_ms");
    let hedge_percentile = fields.integer("hedge_percentile");
    let on_disconnect = fields.parsed::<Disconnect>("on_disconnect").unwrap_or_default();
    let cache = fields.table("cache", "cache", |fields| {
        let ttl_s = fields.required_integer("ttl_s");
        let (similarity, embed_with) = (fields.number("similarity"), fields.text("embed_with"));
        names.refer(fields, "model", "embed_with", embed_with.as_deref());
        let readable =
            similarity.is_some() == fields.has("similarity") && embed_with.is_some() == fields.has("embed_with");
        let policy = CachePolicy { ttl_s: ttl_s.unwrap_or(1), similarity, embed_with };
        // Whether the two go together shows only where both can be read.
        let faults = policy.faults().into_iter().filter(|(field, _)| readable || *field == "ttl_s");
        fields.faults_of(faults.collect());
        ttl_s.map(|_| policy)
    });
    Behaviour { deadline_ms, hedge_percentile, on_disconnect, cache }
}

fn price(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<NewPrice> {
    let provider = fields.required_text("provider");
    names.refer(fields, "provider", "provider", provider.as_deref());
    let model = fields.required_text("model");
    let input = fields.required::<NanoUsd>("input");
    let cached_input = fields.parsed::<NanoUsd>("cached_input");
    let cache_write = fields.parsed::<NanoUsd>("cache_write");
    let cache_write_1h = fields.parsed::<NanoUsd>("cache_write_1h");
    let output = fields.required::<NanoUsd>("output");
    let reasoning = fields.parsed::<NanoUsd>("reasoning");
    let batch_discount = fields.parsed::<Millionths>("batch_discount");
    // As it is stored: two within a millisecond are one.
    let effective_from =
        fields.moment("effective_from").and_then(|at| jiff::Timestamp::from_millisecond(at.as_millisecond()).ok());
    if effective_from.is_none() && !fields.has("effective_from") {
        // Without a date each application would be another price.
        let line = fields.line;
        fields.mistake(line, "this price has no effective_from; add the moment from which it holds");
    }
    if let (Some(provider), Some(model), Some(from)) = (&provider, &model, effective_from) {
        names.declare(fields, "price", "effective_from", Some(&format!("{provider}/{model} from {from}")));
    }
    let unnamed = || UNNAMED.to_owned();
    let price = NewPrice {
        provider: provider.clone().unwrap_or_else(unnamed),
        model: model.clone().unwrap_or_else(unnamed),
        input: TokenPrice::per_million(input.unwrap_or_default()),
        cached_input: cached_input.map(TokenPrice::per_million),
        cache_write: cache_write.map(TokenPrice::per_million),
        cache_write_1h: cache_write_1h.map(TokenPrice::per_million),
        output: TokenPrice::per_million(output.unwrap_or_default()),
        reasoning: reasoning.map(TokenPrice::per_million),
        batch_discount_millionths: batch_discount.map(|discount| discount.0),
        effective_from: Timestamp::from_millis(effective_from.map_or(0, jiff::Timestamp::as_millisecond)),
    };
    fields.faults_of(price.faults());
    provider.and(model).and(input).and(output).and(effective_from).map(|_| price)
}

fn tenant(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<NewTenant> {
    let slug = fields.required::<Slug>("name");
    names.declare(fields, "tenant", "name", slug.as_ref().map(Slug::as_str));
    let display_name = fields.text("display_name");
    let plan = fields.text("plan");
    names.refer(fields, "plan", "plan", plan.as_deref());
    let monthly_budget = fields.parsed::<NanoUsd>("monthly_budget");
    let soft_budget = fields.parsed::<NanoUsd>("soft_budget");
    let region = fields.text("region");
    let zero_retention = fields.truth("zero_retention").unwrap_or(false);
    let read = slug.clone().or_else(|| UNNAMED.parse().ok())?;
    let display_name = display_name.unwrap_or_else(|| read.to_string());
    let tenant = NewTenant { slug: read, display_name, plan, monthly_budget, soft_budget, region, zero_retention };
    fields.faults(tenant.faults(), |field, reason| format!("{field}: {reason}"));
    slug.map(|_| tenant)
}

fn user(fields: &mut Fields<'_, '_>, environment: Environment<'_>, names: &mut Names) -> Option<User> {
    let tenant = fields.parsed::<Slug>("tenant");
    names.refer(fields, "tenant", "tenant", tenant.as_ref().map(Slug::as_str));
    let email = fields.required::<Email>("email");
    let role = fields.parsed::<Role>("role");
    // The same person may be a member of several tenants: one declaration each.
    let identity = email.as_ref().map(|email| match &tenant {
        Some(tenant) => format!("{email} of {tenant}"),
        None => email.to_string(),
    });
    names.declare(fields, "user", "email", identity.as_deref());
    let password = from_environment(fields, "password_env", environment).and_then(|text| {
        Password::chosen(text)
            .map_err(|error| {
                let line = fields.line_of("password_env");
                fields.mistake(line, format!("the password that password_env names cannot be used: {error}"));
            })
            .ok()
    });
    if tenant.is_none() && role.is_some() && !fields.has("tenant") {
        let line = fields.line_of("role");
        fields.mistake(line, "a role is one in a tenant; add tenant, or leave role out for an operator");
    }
    Some(User { tenant, email: email?, role: role.unwrap_or(Role::Member), password })
}

fn api_key(fields: &mut Fields<'_, '_>, environment: Environment<'_>, names: &mut Names) -> Option<DeclaredKey> {
    let tenant = fields.required::<Slug>("tenant");
    names.refer(fields, "tenant", "tenant", tenant.as_ref().map(Slug::as_str));
    let name = fields.required_text("name");
    let identity = tenant.as_ref().zip(name.as_ref()).map(|(tenant, name)| format!("{name} of {tenant}"));
    names.declare(fields, "api_key", "name", identity.as_deref());
    let secret = from_environment(fields, "secret_env", environment).map(GivenSecret::new);
    let line = fields.line_of("secret_env");
    match &secret {
        None => {}
        Some(Ok(secret)) => names.secrets.push(Located { line, value: secret.clone() }),
        Some(Err(error)) => fields.mistake(line, format!("the secret that secret_env names cannot be used: {error}")),
    }
    let manage = fields.truth("manage").unwrap_or(false);
    let models = fields.texts("models");
    names.references.extend(models.iter().flatten().map(|model| ("model", model.clone())));
    let models = models.map(|models| models.into_iter().map(|model| model.value).collect());
    let expires_at = fields.moment("expires_at");
    if fields.text("budget").is_some() {
        // A bound that binds nothing would be worse than none.
        let line = fields.line_of("budget");
        fields
            .mistake(line, "Seam does not enforce the budget of a key yet and takes none; leave it out until it does");
    }
    let scopes = if manage { KeyScope::ALL.to_vec() } else { vec![KeyScope::Inference] };
    let expires_at = expires_at.map(|at| Timestamp::from_millis(at.as_millisecond()));
    let key = NewKey { name: name.clone().unwrap_or_else(|| UNNAMED.to_owned()), scopes, models, expires_at };
    fields.faults(key.faults(), |field, reason| format!("{field}: {reason}"));
    name.and(tenant).map(|tenant| DeclaredKey { tenant, key, secret: secret.and_then(Result::ok) })
}

fn usage(fields: &mut Fields<'_, '_>, names: &mut Names) -> Option<Usage> {
    let tenant = fields.required::<Slug>("tenant");
    names.refer(fields, "tenant", "tenant", tenant.as_ref().map(Slug::as_str));
    let model = fields.required_text("model");
    names.refer(fields, "model", "model", model.as_deref());
    let identity = tenant.as_ref().zip(model.as_ref()).map(|(tenant, model)| format!("{model} of {tenant}"));
    names.declare(fields, "usage", "model", identity.as_deref());
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
        tenant: tenant?,
        model: model?,
        days: days?,
        requests_per_day: requests_per_day?,
        input_tokens: input_tokens?,
        output_tokens: output_tokens?,
    })
}
