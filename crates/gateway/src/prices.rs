//! What a call cost: a table of list prices with a date and a source, which the user can overlay.

use greffier_event::Usage;
use serde::Deserialize;

const BUILTIN: &str = include_str!("../prices.toml");

/// Prices are per this many tokens.
const PER_TOKENS: u128 = 1_000_000;

/// A price table that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPrices {
    /// Not TOML, or not of the table's form.
    #[error("the price table cannot be read: {0}")]
    Form(#[from] toml::de::Error),
    /// A model without a name to find it by.
    #[error("a model of provider `{0}` has no `names`")]
    Nameless(String),
}

/// The prices in force: the user's first, then the built-in ones.
#[derive(Clone, Debug)]
pub struct Prices {
    providers: Vec<Provider>,
}

/// The prices of one provider, as published on one day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Provider {
    name: String,
    date: String,
    source: String,
    #[serde(default)]
    model: Vec<Model>,
}

/// Prices in millionths of a US dollar per million tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    /// Globs, in which `*` stands for any text.
    names: Vec<String>,
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    /// Of what is kept for an hour; absent, it costs what other writes do.
    cache_write_1h: Option<u64>,
    /// What a request with very much input costs.
    long: Option<Long>,
}

/// Prices of requests with more input than a bound: of all their tokens, not only of those beyond it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    above: u64,
    input: u64,
    output: u64,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
}

impl Model {
    /// The prices of a request with so much input.
    fn at(&self, input: u64) -> Model {
        let mut model = Model { long: None, ..self.clone() };
        if let Some(long) = self.long.as_ref().filter(|long| input > long.above) {
            (model.input, model.output) = (long.input, long.output);
            (model.cache_read, model.cache_write) = (long.cache_read, long.cache_write);
            model.cache_write_1h = long.cache_write_1h;
        }
        model
    }
}

/// Where a price comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The provider, `openai`.
    pub provider: &'a str,
    /// The day its prices were published or checked.
    pub date: &'a str,
    /// Where.
    pub source: &'a str,
}

impl Prices {
    /// The prices that come with Greffier.
    ///
    /// # Errors
    /// None that a release can have: its table is read by a test.
    pub fn builtin() -> Result<Prices, InvalidPrices> {
        parse(BUILTIN).map(|providers| Prices { providers })
    }

    /// Puts the user's table, of the same form, before the prices known so far.
    ///
    /// # Errors
    /// When the text is not such a table; the message says where.
    pub fn overlay(mut self, text: &str) -> Result<Prices, InvalidPrices> {
        let mut providers = parse(text)?;
        providers.append(&mut self.providers);
        Ok(Prices { providers })
    }

    /// What the tokens cost, in millionths of a US dollar, rounded half up. `None` if the model's price or
    /// both token counts are not known, or the sum is beyond what a record can hold. `long_writes` of the tokens
    /// written to the provider's cache are kept there for an hour.
    pub fn cost_micros(&self, usage: &Usage, long_writes: u64) -> Option<u64> {
        let (_, model) = self.find(usage)?;
        let model = model.at(usage.input_tokens.unwrap_or(0));
        if usage.input_tokens.is_none() && usage.output_tokens.is_none() {
            return None;
        }
        let read = usage.cache_read_tokens.unwrap_or(0);
        let write = usage.cache_write_tokens.unwrap_or(0);
        let long = long_writes.min(write);
        let short_price = model.cache_write.unwrap_or(model.input);
        // Cached input is part of all input: what is left is priced as fresh.
        let fresh = usage.input_tokens.unwrap_or(0).saturating_sub(read).saturating_sub(write);
        let rows = [
            (fresh, model.input),
            (read, model.cache_read.unwrap_or(model.input)),
            (write - long, short_price),
            (long, model.cache_write_1h.unwrap_or(short_price)),
            (usage.output_tokens.unwrap_or(0), model.output),
        ];
        let sum = rows.iter().try_fold(0_u128, |sum, &(tokens, price)| {
            sum.checked_add(u128::from(tokens) * u128::from(price))
        })?;
        u64::try_from(sum.checked_add(PER_TOKENS / 2)? / PER_TOKENS).ok()
    }

    /// Where the price used for such a call comes from.
    pub fn origin(&self, usage: &Usage) -> Option<Origin<'_>> {
        let (provider, _) = self.find(usage)?;
        Some(Origin { provider: &provider.name, date: &provider.date, source: &provider.source })
    }

    /// The first entry whose pattern fits wins. Without a provider in the record any provider's will do.
    fn find(&self, usage: &Usage) -> Option<(&Provider, &Model)> {
        let name = usage.model.as_deref()?;
        let of_provider =
            |provider: &&Provider| usage.provider.as_ref().is_none_or(|own| *own == provider.name);
        self.providers.iter().filter(of_provider).find_map(|provider| {
            let model =
                provider.model.iter().find(|model| model.names.iter().any(|glob| fits(glob, name)))?;
            Some((provider, model))
        })
    }
}

fn parse(text: &str) -> Result<Vec<Provider>, InvalidPrices> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[serde(default)]
        provider: Vec<Provider>,
    }
    let table: Table = toml::from_str(text)?;
    match table.provider.iter().find(|provider| provider.model.iter().any(|model| model.names.is_empty())) {
        Some(provider) => Err(InvalidPrices::Nameless(provider.name.clone())),
        None => Ok(table.provider),
    }
}

/// Whether `name` is of the form `glob`: the text before the first `*` leads, each text between two of them
/// follows at its first chance, the text behind the last one ends it.
fn fits(glob: &str, name: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else { return glob == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for text in middle.split('*') {
        match name.split_once(text) {
            Some((_, behind)) if !text.is_empty() => name = behind,
            None => return false,
            Some(_) => {}
        }
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage(provider: &str, model: &str, tokens: [u64; 4]) -> Usage {
        let [input, output, read, write] = tokens;
        Usage {
            provider: Some(provider.to_owned()),
            model: Some(model.to_owned()),
            input_tokens: Some(input),
            output_tokens: Some(output),
            cache_read_tokens: Some(read),
            cache_write_tokens: Some(write),
            ..Usage::default()
        }
    }

    fn check(prices: &Prices, rows: &[(&str, &str, [u64; 4])]) -> String {
        let rows: Vec<String> = rows
            .iter()
            .map(|&(provider, model, tokens)| {
                let usage = usage(provider, model, tokens);
                let date = prices.origin(&usage).map(|origin| origin.date);
                format!("{provider} {model} {tokens:?} {:?} {date:?}", prices.cost_micros(&usage, 0))
            })
            .collect();
        rows.join("\n")
    }

    #[test]
    fn known_models_have_a_price() {
        let million = [1_000_000, 1_000_000, 0, 0];
        insta::assert_snapshot!(check(&Prices::builtin().unwrap(), &[
            ("openai", "gpt-4o", million),
            ("openai", "gpt-4o-2024-05-13", million),
            ("openai", "gpt-4o-2024-08-06", million),
            ("openai", "gpt-4o-mini-2024-07-18", million),
            ("openai", "gpt-4.1-nano", million),
            ("openai", "o3-2025-04-16", million),
            ("openai", "gpt-5-mini-2025-08-07", million),
            ("anthropic", "claude-3-5-haiku-20241022", million),
            ("anthropic", "claude-sonnet-4-20250514", million),
            ("anthropic", "claude-sonnet-4-5-20250929", million),
            ("anthropic", "claude-opus-4-20250514", million),
            ("anthropic", "claude-opus-4-1-20250805", million),
            ("anthropic", "claude-opus-4-5-20251101", million),
            ("anthropic", "claude-haiku-4-5", million),
            ("openai", "claude-haiku-4-5", million),
            ("openai", "gpt-4o-audio-preview", million),
            ("openai", "llama-3", million),
        ]), @r#"
        openai gpt-4o [1000000, 1000000, 0, 0] Some(12500000) Some("2025-11-24")
        openai gpt-4o-2024-05-13 [1000000, 1000000, 0, 0] Some(20000000) Some("2025-11-24")
        openai gpt-4o-2024-08-06 [1000000, 1000000, 0, 0] Some(12500000) Some("2025-11-24")
        openai gpt-4o-mini-2024-07-18 [1000000, 1000000, 0, 0] Some(750000) Some("2025-11-24")
        openai gpt-4.1-nano [1000000, 1000000, 0, 0] Some(500000) Some("2025-11-24")
        openai o3-2025-04-16 [1000000, 1000000, 0, 0] Some(10000000) Some("2025-11-24")
        openai gpt-5-mini-2025-08-07 [1000000, 1000000, 0, 0] Some(2250000) Some("2025-11-24")
        anthropic claude-3-5-haiku-20241022 [1000000, 1000000, 0, 0] Some(4800000) Some("2025-11-24")
        anthropic claude-sonnet-4-20250514 [1000000, 1000000, 0, 0] Some(18000000) Some("2025-11-24")
        anthropic claude-sonnet-4-5-20250929 [1000000, 1000000, 0, 0] Some(18000000) Some("2025-11-24")
        anthropic claude-opus-4-20250514 [1000000, 1000000, 0, 0] Some(90000000) Some("2025-11-24")
        anthropic claude-opus-4-1-20250805 [1000000, 1000000, 0, 0] Some(90000000) Some("2025-11-24")
        anthropic claude-opus-4-5-20251101 [1000000, 1000000, 0, 0] Some(30000000) Some("2025-11-24")
        anthropic claude-haiku-4-5 [1000000, 1000000, 0, 0] Some(6000000) Some("2025-11-24")
        openai claude-haiku-4-5 [1000000, 1000000, 0, 0] None None
        openai gpt-4o-audio-preview [1000000, 1000000, 0, 0] None None
        openai llama-3 [1000000, 1000000, 0, 0] None None
        "#);
    }

    #[test]
    fn cached_input_has_its_own_price_and_halves_round_up() {
        insta::assert_snapshot!(check(&Prices::builtin().unwrap(), &[
            ("anthropic", "claude-haiku-4-5", [1_000, 0, 0, 0]),
            ("anthropic", "claude-haiku-4-5", [1_000, 0, 1_000, 0]),
            ("anthropic", "claude-haiku-4-5", [1_000, 0, 0, 1_000]),
            ("anthropic", "claude-haiku-4-5", [1_000, 10, 600, 300]),
            ("openai", "gpt-4o", [1, 0, 0, 0]),
            ("openai", "gpt-4o", [0, 0, 1, 0]),
            ("openai", "gpt-5-pro", [10, 0, 10, 0]),
            ("openai", "gpt-5-nano", [10, 0, 0, 0]),
            ("openai", "gpt-5-nano", [9, 0, 0, 0]),
            ("openai", "gpt-4o", [u64::MAX, u64::MAX, 0, 0]),
        ]), @r#"
        anthropic claude-haiku-4-5 [1000, 0, 0, 0] Some(1000) Some("2025-11-24")
        anthropic claude-haiku-4-5 [1000, 0, 1000, 0] Some(100) Some("2025-11-24")
        anthropic claude-haiku-4-5 [1000, 0, 0, 1000] Some(1250) Some("2025-11-24")
        anthropic claude-haiku-4-5 [1000, 10, 600, 300] Some(585) Some("2025-11-24")
        openai gpt-4o [1, 0, 0, 0] Some(3) Some("2025-11-24")
        openai gpt-4o [0, 0, 1, 0] Some(1) Some("2025-11-24")
        openai gpt-5-pro [10, 0, 10, 0] Some(150) Some("2025-11-24")
        openai gpt-5-nano [10, 0, 0, 0] Some(1) Some("2025-11-24")
        openai gpt-5-nano [9, 0, 0, 0] Some(0) Some("2025-11-24")
        openai gpt-4o [18446744073709551615, 18446744073709551615, 0, 0] None Some("2025-11-24")
        "#);
    }

    #[test]
    fn an_hour_in_the_cache_and_a_long_prompt_have_prices_of_their_own() {
        let prices = Prices::builtin().unwrap();
        let write = usage("anthropic", "claude-sonnet-4-5", [3_000, 0, 0, 3_000]);
        let costs = [0, 1_000, 3_000, u64::MAX].map(|long| prices.cost_micros(&write, long));
        assert_eq!(costs, [Some(11_250), Some(13_500), Some(18_000), Some(18_000)]);
        let pro = |input| prices.cost_micros(&usage("gemini", "gemini-2.5-pro", [input, 1_000, 1_000, 0]), 0);
        assert_eq!([pro(200_000), pro(200_001)], [Some(258_875), Some(512_753)]);
    }

    #[test]
    fn the_users_prices_come_first() {
        let overlay = r#"
            [[provider]]
            name = "openai"
            date = "2026-11-01"
            source = "our contract"
            [[provider.model]]
            names = ["gpt-4o*", "local/*:free"]
            input = 0
            output = 1_000_000
        "#;
        let prices = Prices::builtin().unwrap().overlay(overlay).unwrap();
        insta::assert_snapshot!(check(&prices, &[
            ("openai", "gpt-4o-mini", [1000, 1000, 0, 0]),
            ("openai", "local/llama:free", [1000, 1000, 0, 0]),
            ("openai", "gpt-4.1", [1000, 1000, 0, 0]),
        ]), @r#"
        openai gpt-4o-mini [1000, 1000, 0, 0] Some(1000) Some("2026-11-01")
        openai local/llama:free [1000, 1000, 0, 0] Some(1000) Some("2026-11-01")
        openai gpt-4.1 [1000, 1000, 0, 0] Some(10000) Some("2025-11-24")
        "#);
        let said = |text: &str| Prices::builtin().unwrap().overlay(text).unwrap_err().to_string();
        insta::assert_snapshot!(said("[[provider]]\nname='x'\ndate='d'\nsource='s'\nmodels=[]"), @"
        the price table cannot be read: TOML parse error at line 5, column 1
          |
        5 | models=[]
          | ^^^^^^
        unknown field `models`, expected one of `name`, `date`, `source`, `model`
        ");
        insta::assert_snapshot!(
            said("[[provider]]\nname='x'\ndate='d'\nsource='s'\n[[provider.model]]\nnames=[]\ninput=1\noutput=1"), @"a model of provider `x` has no `names`");
    }

    #[test]
    fn without_counts_there_is_no_cost() {
        let mut usage = usage("openai", "gpt-4o", [0; 4]);
        (usage.input_tokens, usage.output_tokens) = (None, None);
        assert_eq!(Prices::builtin().unwrap().cost_micros(&usage, 0), None);
    }

    proptest! {
        #[test]
        fn globs_agree_with_a_plain_definition(glob in "[ab*]{0,6}", name in "[ab]{0,8}") {
            fn plain(glob: &[u8], name: &[u8]) -> bool {
                match (glob.split_first(), name.split_first()) {
                    (None, None) => true,
                    (Some((b'*', glob_rest)), Some((_, rest))) => plain(glob_rest, name) || plain(glob, rest),
                    (Some((b'*', glob_rest)), None) => plain(glob_rest, name),
                    (Some((g, glob_rest)), Some((n, rest))) => g == n && plain(glob_rest, rest),
                    _ => false,
                }
            }
            prop_assert_eq!(fits(&glob, &name), plain(glob.as_bytes(), name.as_bytes()), "{} {}", glob, name);
        }
    }
}
