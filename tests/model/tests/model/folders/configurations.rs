//! `config.json`: settings that are refused, ignored, or read in another spelling.

use super::*;

#[test]
fn configurations_that_are_not_implemented_are_refused_by_name() {
    let set = |key: &'static str, value: Value| {
        refusal("llama", move |folder| {
            edit_json(&folder.join("config.json"), |c| c[key] = value);
        })
    };
    let messages = [
        refusal("llama", |f| fs::remove_file(f.join("config.json")).unwrap()),
        refusal("llama", |f| {
            fs::write(f.join("config.json"), "{\"a\": ").unwrap()
        }),
        refusal("llama", |f| fs::write(f.join("config.json"), "[]").unwrap()),
        set("model_type", json!("mamba")),
        set("model_type", Value::Null),
        set("hidden_act", json!("relu")),
        set("quantization_config", json!({"bits": 4})),
        set("num_local_experts", json!(8)),
        set("attention_dropout", json!(0.1)),
        set(
            "rope_parameters",
            json!({"rope_type": "dynamic", "factor": 4.0}),
        ),
        set(
            "rope_parameters",
            json!({"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}),
        ),
        set("rope_parameters", json!({"rope_type": "yarn"})),
        set(
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 4.0, "mrope_section": [1, 2]}),
        ),
        set(
            "rope_parameters",
            json!({"rope_type": "llama3", "factor": 4.0}),
        ),
        set("layer_types", json!(["sliding_attention"])),
        set(
            "layer_types",
            json!(["sliding_attention", "full_attention", "full_attention"]),
        ),
        set("partial_rotary_factor", json!(0.5)),
        set("rms_norm_eps", json!(-1e-6)),
        set("rope_parameters", json!({"rope_theta": -1e4})),
        set("rope_theta", json!(0)),
        set("num_hidden_layers", json!(1_000_000_000)),
        set("final_logit_softcapping", json!(0.0)),
        set("num_key_value_heads", json!(3)),
        set("hidden_size", json!(-64)),
        set("hidden_size", json!("64")),
        set("vocab_size", json!(1u64 << 60)),
        set("head_dim", json!(15)),
        refusal("gemma3", |f| {
            edit_json(&f.join("config.json"), |c| {
                c["layer_types"] = json!(["full_attention"])
            });
        }),
        refusal("gemma3", |f| {
            edit_json(&f.join("config.json"), |c| {
                c["use_bidirectional_attention"] = json!(true)
            });
        }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn settings_without_effect_are_ignored() {
    let folder = copy("llama");
    let settings = json!({
        "_attn_implementation_autoset": true,
        "_model_name_or_path": "somewhere",
        "_anything_a_program_notes": [1, {"a": 2}],
        "is_llama_config": true,
        "transformers.js_config": {"dtype": "q4"},
        "auto_map": {"AutoModelForCausalLM": "modeling.Model"},
        "model_max_length": 2048,
        "max_sequence_length": 2048,
        "max_new_tokens": 256,
        "no_repeat_ngram_size": 3,
        "typical_p": 0.9,
        "resid_pdrop": 0.0,
        "hidden_dropout": 0,
        "partial_rotary_factor": 1.0,
        "layer_types": ["full_attention", "full_attention", "full_attention"],
    });
    let settings = settings.as_object().unwrap();
    assert_eq!(settings.len(), 15);
    edit_json(&folder.path().join("config.json"), |config| {
        config.as_object_mut().unwrap().extend(settings.clone());
    });
    let model = load(folder.path()).unwrap();
    // The settings are still in the saved model.
    let saved = tempfile::tempdir().unwrap();
    model.save(saved.path(), SaveDtype::Source).unwrap();
    let config = fs::read_to_string(saved.path().join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    for (key, value) in settings {
        assert_eq!(&config[key], value, "{key}");
    }
}

#[test]
fn a_setting_of_unknown_effect_can_be_ignored_and_one_that_decides_cannot() {
    let folder = copy("llama");
    edit_json(&folder.path().join("config.json"), |config| {
        config["loss_scale_note"] = json!(3);
        config["rope_parameters"]["note"] = json!("text");
    });
    let with = |ignored: &[&str]| {
        let ignored: Vec<String> = ignored.iter().map(|&key| key.to_owned()).collect();
        let loaded = Decoder::<Flex>::load_ignoring(folder.path(), &ignored, &Default::default());
        let error = |e: pref_model::LoadError| e.to_string();
        loaded.map(|_| ()).map_err(error)
    };
    let errors = [
        with(&[]).unwrap_err(),
        with(&["loss_scale_note"]).unwrap_err(),
        with(&["loss_scale_note", "rope_parameters.note", "hidden_size"]).unwrap_err(),
    ];
    let errors = errors.join("\n");
    insta::assert_snapshot!(errors.replace(&folder.path().display().to_string(), "[folder]"));
    assert_eq!(with(&["loss_scale_note", "rope_parameters.note"]), Ok(()));
}

#[test]
fn a_rope_base_beside_rope_parameters_without_one_is_used() {
    let config = |change: fn(&mut Value)| {
        let folder = copy("llama");
        edit_json(&folder.path().join("config.json"), change);
        pref_model::Config::from_folder(folder.path()).unwrap()
    };
    let inside = config(|c| c["rope_parameters"] = json!({"rope_theta": 5e5}));
    let outside = config(|c| {
        c["rope_parameters"] = json!({"rope_type": "default"});
        c["rope_theta"] = json!(5e5);
    });
    let theta = |config: &pref_model::Config| -> Vec<f64> {
        config.ropes().map(|rope| rope.theta).collect()
    };
    assert_eq!(theta(&inside), [5e5; 3]);
    assert_eq!(theta(&outside), [5e5; 3]);
}
