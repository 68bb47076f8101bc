//! Codes of banks: ISO 9362.

use crate::text::Text;

/// Countries of ISO 3166, and Kosovo.
const COUNTRIES: &[u8] = b"ADAEAFAGAIALAMAOARASATAUAWAZBABBBDBEBFBGBHBIBJBMBNBOBRBSBTBWBYBZCACDCFCGCHCICKCLCMCNCOCRCUCVCWCYCZDEDJDKDMDODZECEEEGERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGTGUGWGYHKHNHRHTHUIDIEILIMINIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMGMHMKMLMMMNMOMQMRMSMTMUMVMWMXMYMZNANCNENGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISKSLSMSNSOSRSSSTSVSXSYSZTCTDTGTHTJTLTMTNTOTRTTTVTWTZUAUGUSUYUZVAVCVEVGVIVNVUWFWSXKYEZAZMZW";

/// Where the code that starts at `at` ends: four letters of a bank, a country, a place, perhaps a branch.
pub(super) fn end(text: &Text<'_>, at: usize) -> Option<usize> {
    let end = text.run(at, 12, |b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let code = text.slice(at, end);
    let (bank, country) = (code.get(..4)?, code.get(4..6)?);
    let known = COUNTRIES.chunks(2).any(|known| known == country);
    let whole = matches!(code.len(), 8 | 11) && text.word_end(end);
    (whole && known && bank.iter().all(u8::is_ascii_uppercase)).then_some(end)
}
