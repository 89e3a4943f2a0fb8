use bytes::Bytes;
use hookmill_model::{
    Digest, EventType, Key, KeyId, OnFailure, Plugin, PluginName, PluginRef, PluginVersion, Role, SpaceId,
    SubscriptionId,
};
use hookmill_store::{EventTypeEntry, Store};
use serde_json::{Value, from_str};

use super::{Kept, after, is_database, now, space_called, subscription};

#[tokio::test]
async fn a_space_is_created_once_and_listed_by_id() {
    let kept = Kept::new().await;
    let zulu = SpaceId::parse("zulu").unwrap();
    assert!(kept.store.create_space(space_called(&zulu)).await.unwrap());
    assert!(!kept.store.create_space(space_called(&zulu)).await.unwrap());

    assert_eq!(kept.store.spaces(None, 1).await.unwrap(), [space_called(&kept.space)]);
    assert_eq!(kept.store.spaces(Some(kept.space.clone()), 9).await.unwrap(), [space_called(&zulu)]);
    assert_eq!(kept.store.space(&zulu).await.unwrap(), Some(space_called(&zulu)));
    assert_eq!(kept.store.space(&SpaceId::parse("nowhere").unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn keys_come_back_oldest_first_until_they_are_deleted() {
    let kept = Kept::new().await;
    let key = |role, space, at| Key {
        id: KeyId::new(at),
        name: "ci".to_owned(),
        role,
        space,
        secret_sha256: [9; 32],
        requests_per_s: None,
        created_at: at,
    };
    let space = || Some(kept.space.clone());
    let keys = [
        key(Role::Admin, None, now()),
        key(Role::Manage, space(), after(1)),
        key(Role::Produce, space(), after(2)),
        key(Role::Read, space(), after(3)),
    ];
    for key in keys.iter().rev() {
        kept.store.create_key(key.clone()).await.unwrap();
    }

    assert_eq!(kept.store.keys().await.unwrap(), keys);
    assert!(is_database(&kept.store.create_key(keys[0].clone()).await));
    assert!(kept.store.delete_key(keys[0].id).await.unwrap());
    assert!(!kept.store.delete_key(keys[0].id).await.unwrap());
    assert_eq!(kept.store.keys().await.unwrap(), keys[1..]);
}

#[tokio::test]
async fn event_types_are_replaced_listed_by_name_and_removed() {
    let kept = Kept::new().await;
    let entry = |name: &str, example: Option<&str>| EventTypeEntry {
        name: EventType::parse(name).unwrap(),
        description: "A lead".to_owned(),
        schema: Some(from_str(r#"{"type":"object"}"#).unwrap()),
        example: example.map(|text| from_str(text).unwrap()),
        created_at: now(),
    };
    for entry in [entry("lead.update", None), entry("deal.won", None), entry("deal.won", Some(r#"{"p":12.50}"#))] {
        kept.store.put_event_type(&kept.space, entry).await.unwrap();
    }
    let wanted = [entry("deal.won", Some(r#"{"p":12.50}"#)), entry("lead.update", None)];

    let all = kept.store.event_types(&kept.space, None, 10).await.unwrap().entries;
    assert_eq!(all, wanted);
    assert_eq!(all[0].example.as_ref().map(Value::to_string).as_deref(), Some(r#"{"p":12.50}"#));
    let rest = kept.store.event_types(&kept.space, Some(all[0].name.clone()), 10).await.unwrap().entries;
    assert_eq!(rest, wanted[1..]);
    assert!(kept.store.delete_event_type(&kept.space, &all[0].name).await.unwrap());
    assert!(!kept.store.delete_event_type(&kept.space, &all[0].name).await.unwrap());
}

#[tokio::test]
async fn a_subscription_comes_back_whole_and_is_listed_by_id() {
    let kept = Kept::new().await;
    let elsewhere = SpaceId::parse("other").unwrap();
    kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    let mut all: Vec<_> = [&kept.space, &elsewhere, &kept.space].into_iter().map(subscription).collect();
    all[0].plugin = Some(PluginRef {
        name: PluginName::parse("zapier").unwrap(),
        version: PluginVersion::parse("1.0.0").unwrap(),
        digest: Digest::of(b"z"),
        follows: None,
        held_back: None,
        on_failure: OnFailure::Fail,
        pause_after: None,
        config: from_str(r#"{"z":1e400,"a":12.50}"#).unwrap(),
    });
    for subscription in &all {
        kept.store.put_subscription(subscription, now()).await.unwrap();
    }
    let (found, _) = kept.store.subscription(&kept.space, all[0].id).await.unwrap().unwrap();
    assert_eq!(serde_json::to_string(&found).unwrap(), serde_json::to_string(&all[0]).unwrap());
    assert!(kept.store.subscription(&elsewhere, all[0].id).await.unwrap().is_none());

    let list = async |space: Option<&SpaceId>, after, limit| -> Vec<SubscriptionId> {
        let found = kept.store.subscriptions(space, after, limit).await.unwrap().entries;
        found.into_iter().map(|(subscription, _)| subscription.id).collect()
    };
    all.sort_by_key(|subscription| subscription.id);
    let of = |space: Option<&SpaceId>| -> Vec<_> {
        all.iter().filter(|one| space.is_none_or(|space| one.space == *space)).map(|one| one.id).collect()
    };
    assert_eq!(list(None, None, 10).await, of(None));
    assert_eq!(list(None, Some(all[0].id), 1).await, of(None)[1..2]);
    assert_eq!(list(Some(&kept.space), None, 10).await, of(Some(&kept.space)));
    assert_eq!(list(Some(&kept.space), Some(of(Some(&kept.space))[0]), 10).await, of(Some(&kept.space))[1..]);
}

pub fn plugin(space: Option<&SpaceId>, version: &str, component: &Bytes) -> Plugin {
    Plugin {
        space: space.cloned(),
        name: PluginName::parse("zapier").unwrap(),
        version: PluginVersion::parse(version).unwrap(),
        digest: Digest::of(component),
        summary: "Flat JSON".to_owned(),
        content_types: vec!["application/json".to_owned()],
        config_schema: from_str(r#"{"type":"object"}"#).unwrap(),
        size_bytes: component.len() as u64,
        source: None,
        created_at: now(),
    }
}

#[tokio::test]
async fn a_plugins_version_is_immutable_but_for_a_bundled_one() {
    let kept = Kept::new().await;
    let (a, b) = (Bytes::from_static(b"component a"), Bytes::from_static(b"component b"));
    let put =
        async |plugin: &Plugin, component: &Bytes| kept.store.put_plugin(plugin, component.clone()).await.unwrap();
    let own = Some(&kept.space);

    assert!(put(&plugin(own, "1.0.0", &a), &a).await);
    assert!(put(&plugin(own, "1.0.0", &a), &a).await);
    assert!(!put(&plugin(own, "1.0.0", &b), &b).await);
    assert_eq!(kept.store.component(Digest::of(&b)).await.unwrap(), None);
    assert!(put(&plugin(None, "1.0.0", &a), &a).await);
    assert!(put(&plugin(None, "1.0.0", &b), &b).await);

    let found = kept.store.plugins(&kept.space, None).await.unwrap();
    assert_eq!(found, [plugin(own, "1.0.0", &a), plugin(None, "1.0.0", &b)]);
    assert_eq!(kept.store.component(Digest::of(&a)).await.unwrap(), Some(a));
    assert_eq!(kept.store.component(Digest::of(&b)).await.unwrap(), Some(b));
}

#[tokio::test]
async fn versions_are_listed_newest_first_by_their_own_order() {
    let kept = Kept::new().await;
    let elsewhere = SpaceId::parse("other").unwrap();
    kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    let component = Bytes::from_static(b"component");
    for (space, version) in
        [(None, "1.9.0"), (Some(&kept.space), "1.10.0"), (Some(&elsewhere), "9.0.0"), (None, "1.2.0")]
    {
        assert!(kept.store.put_plugin(&plugin(space, version, &component), component.clone()).await.unwrap());
    }

    let name = PluginName::parse("zapier").unwrap();
    let found = kept.store.plugins(&kept.space, Some(&name)).await.unwrap();
    let versions: Vec<_> = found.iter().map(|plugin| plugin.version.to_string()).collect();
    assert_eq!(versions, ["1.10.0", "1.9.0", "1.2.0"]);
    assert!(kept.store.plugins(&kept.space, Some(&PluginName::parse("make").unwrap())).await.unwrap().is_empty());
}
