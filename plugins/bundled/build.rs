//! Compiles the bundled plugins.

fn main() {
    hookmill_plugin_build::build(&[
        "hookmill-zapier",
        "hookmill-make",
        "hookmill-n8n",
        "hookmill-cloudevents",
        "hookmill-slack",
        "hookmill-template",
        "hookmill-jq",
        "hookmill-livespace",
        "hookmill-breakcold",
        "hookmill-leadsquared",
    ]);
}
