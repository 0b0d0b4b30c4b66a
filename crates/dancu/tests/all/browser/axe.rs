//! axe-core, the accessibility checker: fetched by npm at a pinned version, put into the page by the driver.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::webdriver::Browser;

/// A page that hides a picture from those who listen, and a sentence from those who see badly.
const FAULTY: &str = "data:text/html,<html lang=en><title>x</title><main><h1>x</h1><img src='data:,'>\
    <p style='color:%23ccc;background:%23fff'>pale</p></main></html>";

const VERSION: &str = "4.14.1";

pub struct Axe {
    source: String,
}

impl Axe {
    /// Reads the script below `dir`, after having fetched it if it is not there.
    pub fn fetch(dir: &Path) -> Axe {
        let home = dir.join(format!("axe-core-{VERSION}"));
        let script = home.join("package/axe.min.js");
        if !script.is_file() {
            download(dir, &home);
        }
        let source = std::fs::read_to_string(&script).expect("the package has axe.min.js");
        Axe { source }
    }

    /// Whether this window is one in which faults are found.
    pub fn finds_faults(&self, browser: &Browser) -> bool {
        browser.go(FAULTY);
        let found = self.findings(browser);
        ["image-alt", "color-contrast"].iter().all(|rule| found.iter().any(|line| line.contains(rule)))
    }

    /// The findings of impact serious or critical: rule, where, and what is wrong.
    pub fn findings(&self, browser: &Browser) -> Vec<String> {
        // The script is the body of the driver's own function, so that the page's policy (no script) stays as
        // it is.
        let script = format!(
            "{}\nconst done = arguments[arguments.length - 1];\n\
             axe.run(document, {{resultTypes: ['violations']}}).then(\n\
               r => done({{violations: r.violations, passes: r.passes.length}}),\n\
               e => done({{broken: String(e)}}));",
            self.source
        );
        let found = browser.run_async(&script);
        let (Some(violations), Some(passes)) = (found["violations"].as_array(), found["passes"].as_u64())
        else {
            panic!("axe did not run at {}: {found}", browser.url())
        };
        assert!(passes > 5, "axe looked at next to nothing at {}", browser.url());
        violations
            .iter()
            .filter(|violation| matches!(violation["impact"].as_str(), Some("serious" | "critical")))
            .flat_map(|violation| {
                let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
                nodes.into_iter().map(|node| describe(violation, &node)).collect::<Vec<_>>()
            })
            .collect()
    }
}

fn describe(violation: &Value, node: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().replace('\n', " ");
    format!(
        "axe {} ({}) {}: {}",
        text(&violation["id"]),
        text(&violation["impact"]),
        node["target"],
        text(&node["failureSummary"])
    )
}

fn download(dir: &Path, home: &PathBuf) {
    std::fs::create_dir_all(dir).expect("the target directory can be written");
    let draft = tempfile::tempdir_in(dir).expect("a scratch directory can be made");
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(draft.path()).output();
        let output = output.unwrap_or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => panic!("{program} is not installed; `./test` installs it"),
            _ => panic!("{program}: {error}"),
        });
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {}: {said}", args.join(" "));
    };
    run("npm", &["pack", "--silent", &format!("axe-core@{VERSION}")]);
    run("tar", &["-xzf", &format!("axe-core-{VERSION}.tgz"), "package/axe.min.js", "package/LICENSE"]);
    // Renamed whole, so that an interrupted fetch leaves nothing that looks finished.
    std::fs::rename(draft.path(), home).expect("both are in one directory");
}
