package lifecycle

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// requirement is a file that the cluster needs and the Debian package it is in.
type requirement struct{ file, debian string }

var requirements = []requirement{
	{"containerd", "containerd"}, {"ctr", "containerd"}, {"runc", "runc"},
	{"nft", "nftables"}, {"iptables", "iptables"}, {"ip", "iproute2"}, {"nsenter", "util-linux"},
	{"conntrack", "conntrack"}, {"ipset", "ipset"}, {"socat", "socat"},
	// Not needed to run a cluster, but to build the images that go into it.
	{"buildah", "buildah"}, {"busybox", "busybox-static"},
}

// pluginFolders are where distributions put the standard CNI plugins.
var pluginFolders = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}

// pluginFolder returns the first of pluginFolders that holds them.
func pluginFolder() string {
	for _, folder := range pluginFolders {
		if _, err := os.Stat(filepath.Join(folder, "ptp")); err == nil {
			return folder
		}
	}
	return ""
}

func missing() []requirement {
	var gone []requirement
	for _, r := range requirements {
		if !present(r.file) {
			gone = append(gone, r)
		}
	}
	if pluginFolder() == "" {
		gone = append(gone, requirement{"ptp (in " + strings.Join(pluginFolders, " or ") + ")", "containernetworking-plugins"})
	}
	return gone
}

// present looks beyond the search path of users who are not root.
func present(file string) bool {
	for _, candidate := range []string{file, "/usr/sbin/" + file, "/sbin/" + file} {
		if _, err := exec.LookPath(candidate); err == nil {
			return true
		}
	}
	return false
}

// notRoot says why root is needed, and at once what else is.
func notRoot(gone []requirement) string {
	message := "must be root, to make network namespaces, mounts and cgroups: run it with sudo"
	if len(gone) > 0 {
		message += "\n" + describeMissing(gone)
	}
	return message
}

// installMissing installs what is missing from Debian's packages. Nothing of
// the services that they bring is used: the cluster has its own containerd.
func installMissing(report *Report) error {
	gone := missing()
	if len(gone) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New(describeMissing(gone))
	}
	err := report.Time("installing "+strings.Join(packages(gone), " "), func() error {
		if err := apt("update", "-qq"); err != nil {
			return err
		}
		return apt(append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages(gone)...)...)
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, describeMissing(gone))
	}
	if gone := missing(); len(gone) > 0 {
		return errors.New("still missing after the installation\n" + describeMissing(gone))
	}
	return nil
}

func apt(args ...string) error {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("failed to run %s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

func packages(gone []requirement) []string {
	var names []string
	for _, r := range gone {
		names = append(names, r.debian)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func describeMissing(gone []requirement) string {
	var text strings.Builder
	text.WriteString("missing on this machine:\n")
	for _, r := range gone {
		fmt.Fprintf(&text, "  %-12s Debian package %s\n", r.file, r.debian)
	}
	fmt.Fprintf(&text, "install them: apt-get update && apt-get install --no-install-recommends %s", strings.Join(packages(gone), " "))
	return text.String()
}
