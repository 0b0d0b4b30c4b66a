//! The end of a kit.

use serde_json::json;

use super::team::Team;
use super::{Province, refused};

impl Province {
    /// A kit that was lost sends no more: at once on one person's word, for good on two people's.
    pub(super) fn lose(&mut self, team: &mut Team) {
        let revoke = ["kit", "revoke", "kit-01", "--reason", "lost on the road"];
        assert!(refused(&self.data.run(&revoke)).contains("--operator"), "nobody is not two people");
        let revoke = [&revoke[..], &["--operator", "canbo"]].concat();
        assert_eq!(self.json(&revoke)["repeated"], false);
        assert_eq!(self.json(&revoke)["repeated"], true);
        let confirm = |who| ["kit", "confirm", "kit-01", "--operator", who];
        assert!(refused(&self.data.run(&confirm("canbo"))).contains("another must"));
        assert_eq!(self.json(&["kit", "list"])["kits"][0]["state"], "to be revoked");
        assert_eq!(self.json(&confirm("thamdinh1"))["confirmed"], "revoked");
        let missed = self
            .guests()
            .into_iter()
            .find(|guest| !self.applications.values().any(|who| *who == guest.truth));
        team.capture(&self.world, &missed.unwrap(), self.now);
        assert_eq!(team.sync(self.now), (1, 0), "a revoked kit's packet is taken over");
        self.run(&["work", "--once"]);
        let set_aside = self.json(&["packet", "list"]);
        let packets = set_aside["packets"].as_array().unwrap();
        assert_eq!(packets.len(), 1, "and is set aside: {set_aside}");
        assert_eq!((&packets[0]["reason"], &packets[0]["kit"]), (&json!("kit_revoked"), &json!("kit-01")));
        assert_eq!(self.json(&["packet", "retry", "--all"])["retried"], 0);
        let listed = self.json(&["kit", "list"]);
        assert_eq!(
            (&listed["kits"][0]["state"], &listed["kits"][0]["reason"]),
            (&json!("revoked"), &json!("lost on the road"))
        );
        let public = self.data.0.join("kit/public.pem");
        let add = [
            "kit",
            "add",
            "--unit",
            self.district,
            "--name",
            "kit-01",
            "--public-key",
            public.to_str().unwrap(),
        ];
        assert!(refused(&self.data.run(&add)).contains("was revoked"));
    }
}
