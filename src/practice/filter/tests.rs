use super::*;
use crate::practice::store::test_collection;

/// The ids of the rows that pass. The rows: see `test_collection`.
fn passing(text: &str) -> Vec<i64> {
    let collection = test_collection();
    let filter = Filter::new(text, &collection.schema).unwrap_or_else(|refusal| panic!("{text}: {refusal}"));
    let Column::Int(ids) = collection.column(0) else { unreachable!() };
    (0..collection.places()).filter(|row| filter.passes(&collection, *row)).map(|row| ids[row as usize]).collect()
}

// Rows: id 0 to 9; `price` id * 1.5; `word` "w0" to "w9"; `even` whether id is; dynamic `color` red, green, blue in turn and
// `deep.n` = id for ids under 5.
#[test]
fn every_operator_picks_its_rows() {
    for (text, ids) in [
        ("", vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("id == 3", vec![3]),
        ("3 == id", vec![3]),
        ("id != 3 and id < 5", vec![0, 1, 2, 4]),
        ("id < 2 or id >= 8", vec![0, 1, 8, 9]),
        ("id < 2 || id >= 8 && id > 8", vec![0, 1, 9]),
        ("(id < 2 || id >= 8) && id > 0", vec![1, 8, 9]),
        ("2 < id <= 5", vec![3, 4, 5]),
        ("id in [1, 3, 99]", vec![1, 3]),
        ("id not in [0, 1, 2, 3, 4, 5, 6]", vec![7, 8, 9]),
        ("id in []", vec![]),
        ("not (id > 2)", vec![0, 1, 2]),
        ("!(id > 2) and NOT even", vec![1]),
        ("not not even && id < 3", vec![0, 2]),
        ("even == true AND id IN [2, 3]", vec![2]),
        ("even", vec![0, 2, 4, 6, 8]),
        ("price > 10.5", vec![8, 9]),
        ("price == 1.5", vec![1]),
        ("price <= 3", vec![0, 1, 2]),
        ("id > -1 and id < +1", vec![0]),
        ("word == \"w3\" or word == 'w4'", vec![3, 4]),
        ("word in ['w1', \"w2\"]", vec![1, 2]),
        ("word > \"w7\"", vec![8, 9]),
        ("word like \"w%\" and id < 2", vec![0, 1]),
        ("word like '_5'", vec![5]),
        ("word like '%3%'", vec![3]),
        ("word like 'x%'", vec![]),
        ("color == 'red'", vec![0, 3, 6, 9]),
        ("$meta[\"color\"] == 'green'", vec![1, 4, 7]),
        ("color not in ['red', 'green']", vec![2, 5, 8]),
        ("deep[\"n\"] >= 3", vec![3, 4]),
        ("$meta['deep']['n'] == 2", vec![2]),
        ("missing == 1", vec![]),
        ("missing != 1 and id < 2", vec![0, 1]),
        ("color > 5", vec![]),
        ("id % 3 == 1", vec![1, 4, 7]),
        ("id * 2 + 1 == 7", vec![3]),
        ("id ** 2 > 50", vec![8, 9]),
        ("id / 2 == 4", vec![8, 9]),
        ("10 / id == 10 - 5", vec![2]),
        ("-id == -4", vec![4]),
    ] {
        assert_eq!(passing(text), ids, "{text}");
    }
}

#[test]
fn expressions_that_only_name_keys_are_known_as_such() {
    let collection = test_collection();
    let keys = |text: &str| Filter::new(text, &collection.schema).unwrap().keys().map(<[Key]>::to_vec);
    assert_eq!(keys("id in [3, 1]"), Some(vec![Key::Int(1), Key::Int(3)]));
    assert_eq!(keys("7 == id"), Some(vec![Key::Int(7)]));
    for other in ["", "id in [1] and even", "id > 1", "price in [1, 2]", "id == price", "not (id == 1)"] {
        assert_eq!(keys(other), None, "{other}");
    }
}

#[test]
fn a_wrong_expression_is_refused_with_its_place_and_reason() {
    let collection = test_collection();
    for (text, reason) in [
        ("id ==", "at byte 5: a field or a value was expected, not the end"),
        ("id == 1 2", "at byte 8: here an operator"),
        ("(id == 1", "`)` was expected"),
        ("id = 1", "`=` has no meaning"),
        ("id in 3", "`[` was expected"),
        ("id in [1, word]", "plain values only"),
        ("id not 3", "`in` was expected after `not`"),
        ("word like w", "a pattern in quotes"),
        ("word == \"w", "does not end"),
        ("id == 1a", "`1a` is not a number"),
        ("json_contains(color, 1)", "does not offer the function `json_contains`"),
        ("vector == 1", "is a vector"),
        ("price[\"x\"] == 1", "is not JSON"),
        ("id == \"3\"", "a number is compared with a text"),
        ("word > 3", "a text is compared with a number"),
        ("id + 1", "it is not true or false"),
        ("deep[x] == 1", "a key in quotes"),
    ] {
        let refusal = Filter::new(text, &collection.schema).unwrap_err();
        assert!(refusal.reason.contains(reason), "{text}: {}", refusal.reason);
        assert_eq!(refusal.code, 1100);
    }
    let deep = format!("{}id == 1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(Filter::new(&deep, &collection.schema).unwrap_err().reason.contains("levels of brackets"));
}

proptest::proptest! {
    // Whatever comes over the wire, the parser answers.
    #[test]
    fn no_text_brings_the_parser_down(text in "[id0-9 ()\\[\\]<>=!&|+*/%'\"$a-c.-]{0,40}|.{0,20}") {
        let collection = test_collection();
        if let Ok(filter) = Filter::new(&text, &collection.schema) {
            filter.passes(&collection, 0);
        }
    }
}

#[test]
fn a_chain_that_is_too_long_for_the_stack_is_refused() {
    let chain = |terms: usize, between: &str| vec!["id == 1"; terms].join(between);
    assert_eq!([passing(&chain(1_000, " or ")), passing(&chain(1_000, " and "))], [[1], [1]]);
    let schema = test_collection().schema;
    let sum = format!("id < {}", vec!["1"; 100_000].join(" + "));
    for text in [chain(100_000, " or "), chain(100_000, " && "), sum, vec!["id"; 100_000].join(" <= ")] {
        let refusal = Filter::new(&text, &schema).map(drop).unwrap_err();
        assert!(refusal.to_string().contains("more than 1000 operators"), "{refusal}");
    }
}
