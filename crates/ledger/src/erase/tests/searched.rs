//! What was erased is searched for in every file, as it lies there and as a reader of its format sees it: in the
//! directory, in a copy of it, and in what is restored from the copy.

use std::fs::File;

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::backup::{copy_data, copy_keys, restore_data};

/// Everything below a folder: each file as it is, and of Parquet files also every value.
fn all_bytes(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = files(root).into_iter().collect();
    let parquet: Vec<String> =
        all.iter().map(|(name, _)| name.clone()).filter(|name| name.ends_with(".parquet")).collect();
    for name in parquet {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(root.join(&name)).unwrap()).unwrap();
        let mut values = Vec::new();
        for batch in reader.build().unwrap() {
            for column in batch.unwrap().columns() {
                if let Some(binary) = column.as_binary_opt::<i32>() {
                    binary.iter().flatten().for_each(|value| values.extend_from_slice(value));
                }
                if let Some(list) = column.as_list_opt::<i32>()
                    && let Some(binary) = list.values().as_binary_opt::<i32>()
                {
                    binary.iter().flatten().for_each(|value| values.extend_from_slice(value));
                }
            }
        }
        assert!(!values.is_empty(), "{name} has no bytes to search");
        all.push((format!("values of {name}"), values));
    }
    all
}

fn found(root: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let holds = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let holding = all_bytes(root).into_iter();
    holding
        .filter(|(_, bytes)| needles.iter().any(|needle| holds(bytes, needle)))
        .map(|(name, _)| name)
        .collect()
}

#[tokio::test]
async fn erased_contents_are_in_no_file_of_the_directory_and_of_no_copy() {
    let place = Place::new();
    let (ledger, _startup) = place.start();
    fill(&ledger).await;
    let old = place.0.path().join("before");
    let [data, keys] = ["data", "keys"].map(|name| old.join(name));
    for dir in [&data, &keys] {
        std::fs::create_dir_all(dir).unwrap();
    }
    copy_data(&place.data(), &data, None, |_| ()).unwrap();
    copy_keys(&place.keys(), &keys).unwrap();
    let eraser = ledger.eraser();
    let reader = ledger.reader();
    // By number: whose event it is decides which way it is erased.
    let user = eraser.user(&acme(), "alice");
    let of_user: Vec<u64> = (0..20)
        .filter(|n| {
            let found = reader.find(about(*n, "", "").event.id).unwrap().unwrap();
            found.event().unwrap().user.unwrap().sub == "alice"
        })
        .collect();
    let of_event = (0..20).find(|n| !of_user.contains(n)).unwrap();
    let plain: Vec<Vec<u8>> = of_user
        .iter()
        .chain([&of_event])
        .flat_map(|n| [format!("prompt of {n}").into_bytes(), format!("completion of {n}").into_bytes()])
        .collect();
    let sealed_event = place.sealed(of_event);
    let sealed_user = place.sealed(of_user[0]);
    eraser.erase(order(100, &Target::User(user.clone()))).await.unwrap();
    eraser.erase(order(101, &Target::Event(about(of_event, "", "").event.id))).await.unwrap();
    drop((eraser, reader));
    ledger.close().unwrap();

    let after = place.0.path().join("after");
    let [copied, restored] = ["copied", "restored"].map(|name| after.join(name));
    for dir in [&copied, &restored] {
        std::fs::create_dir_all(dir).unwrap();
    }
    copy_data(&place.data(), &copied, None, |_| ()).unwrap();
    restore_data(&copied, &restored, |_| ()).unwrap();
    for root in [&place.data(), &place.keys(), &copied, &restored] {
        assert_eq!(found(root, &plain), Vec::<String>::new(), "in the clear");
        assert_eq!(found(root, &sealed_event), Vec::<String>::new(), "as it was sealed");
    }
    // The search would find it: of a user's contents the sealed bytes stay, under a key that is no more.
    let left = found(&place.data(), &sealed_user);
    assert!(left.iter().any(|name| name.starts_with("values of trails/acme/parts/")), "{left:?}");
    assert_eq!(
        found(&place.keys(), &[user.clone().into_bytes()]).len(),
        1,
        "only the register names the user"
    );
    assert!(!std::fs::read_to_string(place.keys().join("users.keys")).unwrap().contains(&user));

    // The copy from before has all of it; restored beside today's keys it learns what was erased.
    assert!(!found(&data, &sealed_event).is_empty());
    std::fs::remove_dir_all(place.data()).unwrap();
    std::fs::create_dir(place.data()).unwrap();
    restore_data(&data, &place.data(), |_| ()).unwrap();
    std::fs::remove_dir_all(&old).unwrap();
    let (ledger, startup) = place.start();
    assert_eq!(startup.recovered.await.unwrap().repairs.len(), 2, "two orders");
    ledger.close().unwrap();
    assert_eq!(found(&place.data(), &sealed_event), Vec::<String>::new());
    let readable = place.readable();
    assert!(plain.iter().all(|text| !readable.iter().any(|read| read.as_bytes() == text.as_slice())));
    assert_eq!(place.verify().problems, vec![]);
}
