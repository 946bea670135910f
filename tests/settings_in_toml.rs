//! The tables `[target]`, `[collection]` and `[trace]` as TOML: the rooms that own them know no TOML.

mod target_and_collection {
    use tailtrace::milvus::settings::CONNECT_WITHIN;
    use tailtrace::milvus::{CollectionSettings, Consistency, TargetSettings};
    use tailtrace::workload::Metric;

    #[test]
    fn an_empty_table_is_the_documented_defaults() {
        let settings: CollectionSettings = toml::from_str("").unwrap();
        assert_eq!(settings, CollectionSettings::default());
        assert_eq!(
            (settings.name.as_str(), settings.dim(), settings.rows.get(), settings.metric()),
            ("tailtrace", 128, 20_000, Metric::L2)
        );
        assert_eq!(settings.index.kind, "HNSW");
        assert_eq!(settings.index.params["efConstruction"], 200);
        assert_eq!(settings.consistency, Consistency::Bounded);
        assert_eq!(settings.check(), Ok(()));
    }

    #[test]
    fn settings_survive_the_way_through_json_and_toml() {
        let text = "name = \"a_1\"\ndim = 8\nrows = 5\nmetric = \"COSINE\"\nindex = { type = \"IVF_FLAT\", nlist = 128 }\n\
                    keep = true\nshards = 2\nconsistency = \"strong\"\nready_within = \"5s\"";
        let settings: CollectionSettings = toml::from_str(text).unwrap();
        assert_eq!(settings.index.params["nlist"], 128);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<CollectionSettings>(&json).unwrap(), settings);
        let target: TargetSettings = toml::from_str("uri = \"http://h:1\"\ntoken_env = \"T\"\ndatabase = \"d\"").unwrap();
        assert_eq!(serde_json::from_str::<TargetSettings>(&serde_json::to_string(&target).unwrap()).unwrap(), target);
        assert_eq!(target.connect_within, CONNECT_WITHIN);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<CollectionSettings>("dimension = 8").unwrap_err().to_string().contains("dimension"));
        assert!(toml::from_str::<TargetSettings>("uri = \"practice\"\ntoken = \"s3cret\"").unwrap_err().to_string().contains("token"));
    }

    #[test]
    fn what_milvus_would_refuse_is_refused_before() {
        for (text, key) in [
            ("name = \"1st\"", "name"),
            ("name = \"\"", "name"),
            ("name = \"a-b\"", "name"),
            ("dim = 32769", "dim"),
            ("rows = 100_000_000_000_000", "rows"),
            ("shards = 65", "shards"),
            ("vector_field = \"v\"", "vector_field"),
            ("index = { type = \"\" }", "index"),
        ] {
            let settings: CollectionSettings = toml::from_str(text).unwrap();
            assert_eq!(settings.check().unwrap_err().key, key, "{text}");
        }
        assert!(toml::from_str::<CollectionSettings>("dim = 0").is_err() && toml::from_str::<CollectionSettings>("rows = 0").is_err());
    }
}

mod trace {
    use tailtrace::trace::{Burst, Endpoint, Propagation, Settings};
    use tailtrace::units::{Fraction, Nanos};

    #[test]
    fn the_table_of_the_design_is_read_and_written_back() {
        let text = "sampleFraction = 0.01\nendpoint = \"http://localhost:4317\"\njaeger = \"http://localhost:16686\"\n\
                    propagation = \"traceparent-always\"\nservice_name = \"bench\"\n";
        let settings: Settings = toml::from_str(text).unwrap();
        assert_eq!(settings.sample_fraction.get(), 0.01);
        assert_eq!(settings.endpoint, Some(Endpoint::Url("http://localhost:4317".into())));
        assert_eq!(settings.propagation, Propagation::TraceparentAlways);
        let again: Settings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(again, settings);
    }

    #[test]
    fn a_burst_is_read_as_the_documentation_writes_it() {
        let settings: Settings = toml::from_str("burst = { above = \"50ms\", for = \"20ms\", fraction = 1.0 }").unwrap();
        let [above, lasting] = [50, 20].map(Nanos::from_millis);
        assert_eq!(settings.burst, Some(Burst { above, lasting, fraction: Fraction::ONE }));
    }

    #[test]
    fn an_empty_table_samples_nothing() {
        let settings: Settings = toml::from_str("").unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(settings.sample_fraction, Fraction::ZERO);
        assert_eq!(settings.propagation, Propagation::Traceparent);
    }

    #[test]
    fn a_wrong_endpoint_or_key_is_refused_with_what_would_be_right() {
        for text in ["localhost:4317", "ftp://localhost", "http://", "builtin", "/collector", ""] {
            assert!(text.parse::<Endpoint>().unwrap_err().contains("built-in"), "{text}");
        }
        assert_eq!("built-in".parse(), Ok(Endpoint::BuiltIn));
        assert!(toml::from_str::<Settings>("sample_fractoin = 1").unwrap_err().to_string().contains("sample_fraction"));
        assert!(toml::from_str::<Settings>("jaeger = \"localhost:16686\"").unwrap_err().to_string().contains("http://localhost:16686"));
        assert!(toml::from_str::<Settings>("propagation = \"b3\"").unwrap_err().to_string().contains("traceparent-always"));
    }
}
