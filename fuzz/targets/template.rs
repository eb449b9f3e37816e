//! Renders an arbitrary chat template. In: the template up to the first zero byte, then messages as
//! JSON. If the messages are not valid, fixed messages are used. Out: nothing may panic or run for
//! ever.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pref_data::{ChatTemplate, Message};

fuzz_target!(init: {
    // prints nothing for panics that become errors; any other panic ends the process
    std::panic::set_hook(Box::new(|info| {
        if !pref_data::is_caught_panic(info) {
            eprintln!("{info}");
        }
    }));
}, |data: &[u8]| {
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let Ok(source) = std::str::from_utf8(parts.next().unwrap_or_default()) else {
        return;
    };
    let given = parts.next().and_then(|json| serde_json::from_slice(json).ok());
    let messages: Vec<Message> = given.unwrap_or_else(|| {
        vec![
            Message::new("system", "Be brief."),
            Message::new("user", "Größe? \"a\""),
            Message::new("assistant", "<think>\n</think>\n1.80 m"),
        ]
    });
    let tools = [serde_json::json!({"name": "f", "parameters": {"type": "object"}})];
    if let Ok(template) = ChatTemplate::new(source, Some("<s>"), Some("</s>")) {
        let _ = template.render(&messages, &tools, true);
        let _ = template.render(&messages, &[], false);
    }
});
