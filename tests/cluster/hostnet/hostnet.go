// Package hostnet makes the network namespace of a cluster and the one link
// between it and this machine.
package hostnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"userengine.dev/testcluster/layout"
)

// nodeLink is the node's only interface that leads out of the cluster.
const nodeLink = "eth0"

// public is an address of every node that is in no special-purpose range: what
// policies say of the internet can be tried on it. It never leaves the namespace.
const public = "11.22.33.44"

// Ensure creates whatever is missing of the namespace, link, addresses and routes.
func Ensure(c layout.Cluster) error {
	if err := ensureNamespace(c); err != nil {
		return err
	}
	if _, err := os.Stat("/sys/class/net/" + c.ID()); errors.Is(err, fs.ErrNotExist) {
		if err := run("ip", "link", "add", c.ID(), "type", "veth", "peer", "name", nodeLink, "netns", c.ID()); err != nil {
			return err
		}
	}
	return errors.Join(configureNode(c), configureMachine(c))
}

func ensureNamespace(c layout.Cluster) error {
	if _, err := os.Stat(c.NetNS()); errors.Is(err, fs.ErrNotExist) {
		return run("ip", "netns", "add", c.ID())
	}
	// After a crash the file may be there without the namespace mounted on it.
	if err := Command(c, "true").Run(); err == nil {
		return nil
	}
	if err := run("ip", "netns", "delete", c.ID()); err != nil {
		return err
	}
	return run("ip", "netns", "add", c.ID())
}

// configureNode sets up the inside. There is no default route: what is neither
// a pod nor a service nor this machine is unreachable. The service range needs
// a route although every packet to it is translated first, since the kernel
// looks up a route for the node's own packets before it translates them.
func configureNode(c layout.Cluster) error {
	// The node has no IPv6: pods get IPv4 addresses only, and a link-local
	// address of the node would be a way around their network policies.
	sysctls := strings.Join([]string{
		"net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.ip_forward=1",
	}, " ")
	return errors.Join(
		inside(c, "for s in "+sysctls+`; do f=/proc/sys/$(echo "${s%%=*}" | tr . /); [ ! -e "$f" ] || echo "${s#*=}" > "$f" || exit 1; done`),
		inside(c, "ip link set lo up && ip link set "+nodeLink+" up"),
		inside(c, fmt.Sprintf("ip address replace %s/%d dev %s", c.Node(), c.NodeNet().Bits(), nodeLink)),
		inside(c, fmt.Sprintf("ip address replace %s/32 dev lo", public)),
		inside(c, fmt.Sprintf("ip route replace %s dev %s", c.Services(), nodeLink)),
		border(c),
	)
}

func configureMachine(c layout.Cluster) error {
	address := fmt.Sprintf("%s/%d", c.Machine(), c.NodeNet().Bits())
	return errors.Join(
		run("ip", "link", "set", c.ID(), "up"),
		run("ip", "address", "replace", address, "dev", c.ID()),
		run("ip", "route", "replace", c.Pods().String(), "via", c.Node().String(), "dev", c.ID()),
		run("ip", "route", "replace", c.Services().String(), "via", c.Node().String(), "dev", c.ID()),
	)
}

// border keeps pods inside: new connections leave through the link only when a
// process of the node opens them; answers to this machine always pass.
func border(c layout.Cluster) error {
	rules := fmt.Sprintf(`
table inet ue-border
delete table inet ue-border
table inet ue-border {
  chain forward {
    type filter hook forward priority -20; policy accept;
    oifname "%s" ct state established,related accept
    oifname "%s" drop
  }
}
`, nodeLink, nodeLink)
	cmd := Command(c, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(rules)
	return describe(cmd)
}

// Remove deletes the link and the namespace. Both may be gone already.
func Remove(c layout.Cluster) error {
	var failed []error
	if _, err := os.Stat("/sys/class/net/" + c.ID()); err == nil {
		failed = append(failed, run("ip", "link", "delete", c.ID()))
	}
	if _, err := os.Stat(c.NetNS()); err == nil {
		failed = append(failed, run("ip", "netns", "delete", c.ID()))
	}
	tidy()
	return errors.Join(failed...)
}

// tidy removes the mount that `ip netns` makes for its folder once no
// namespace is left in it. It is made again when it is needed.
func tidy() {
	folder := filepath.Dir(layout.Cluster{}.NetNS())
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		return
	}
	_ = unix.Unmount(folder, 0) // in use, or not mounted: both are fine
	_ = os.Remove(folder)
}

// Command is a command that runs inside the namespace. It uses nsenter, since
// `ip netns exec` mounts a new /sys, which hides the cgroups.
func Command(c layout.Cluster, name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=" + c.NetNS(), "--", name}, args...)...)
}

func inside(c layout.Cluster, script string) error { return describe(Command(c, "sh", "-c", script)) }

func run(name string, args ...string) error { return describe(exec.Command(name, args...)) }

func describe(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("failed to run %s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
