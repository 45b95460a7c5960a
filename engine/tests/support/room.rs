//! A file system of eight megabytes that can really be full: a tmpfs in a mount namespace of a user namespace of its own, which
//! takes no rights on the machine. Processes enter it, and files in it are read through `/proc`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Holds the namespaces as long as it lives.
#[derive(Debug)]
pub struct Room {
    holder: Child,
    folder: PathBuf,
}

/// What takes up all the room that is left.
#[derive(Debug, Clone)]
pub struct Filler(PathBuf);

impl Room {
    /// Over this folder, which only those inside see so.
    pub fn over(folder: &Path) -> Self {
        let mount = "mount -t tmpfs -o size=8m tmpfs \"$1\" && echo there && exec cat";
        let mut holder = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                mount,
                "sh",
            ])
            .arg(folder)
            // It ends with its input, so also with the test.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = holder.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        assert_eq!(line, "there\n", "user namespaces are needed");
        Self {
            holder,
            folder: folder.to_owned(),
        }
    }

    /// What a program inside is started by.
    pub fn enter(&self) -> Vec<String> {
        let target = self.holder.id().to_string();
        let words = [
            "nsenter",
            "--user",
            "--mount",
            "--preserve-credentials",
            "--target",
            &target,
        ];
        words.map(str::to_owned).into()
    }

    /// Whether it can be written to, for everybody inside.
    pub fn remount(&self, options: &str) {
        let enter = self.enter();
        let mut mount = Command::new(&enter[0]);
        mount.args(&enter[1..]).args(["mount", "-o"]);
        mount.arg(format!("remount,{options}")).arg(&self.folder);
        assert!(mount.status().unwrap().success());
    }

    /// The folder, seen from outside.
    pub fn seen(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.strip_prefix("/").unwrap())
    }

    pub fn filler(&self) -> Filler {
        Filler(self.seen().join("filler"))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        drop(self.holder.wait());
    }
}

impl Filler {
    /// From now on not one more page can be written.
    pub fn fill(&self) {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.0)
            .unwrap();
        let page = [0; 4096];
        let error = loop {
            if let Err(error) = file.write_all(&page) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// There is room again.
    pub fn remove(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}
