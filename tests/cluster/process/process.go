// Package process starts the programs of a cluster in the background and
// recognises them later, from another invocation of this program.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"userengine.dev/testcluster/hostnet"
	"userengine.dev/testcluster/layout"
)

// pollInterval is how often a condition is looked at while waiting for it.
const pollInterval = 20 * time.Millisecond

// id tells a process from every other one: a process id alone is used again.
type id struct {
	pid     int
	started string
}

// Start runs argv in the network namespace of the cluster, in a session of its
// own, with its output appended to the component's log.
func Start(c layout.Cluster, name string, argv []string) error {
	log, err := openLog(c, name)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := hostnet.Command(c, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Dir = c.State()
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("failed to start %s: %w", name, err)
	}
	// nsenter replaces itself by the program, so its process id is the program's.
	started, err := startTime(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("%s ended at once: %w", name, err)
	}
	go cmd.Wait() // so that a component that ends while we run leaves no zombie
	return write(c, name, id{cmd.Process.Pid, started})
}

// environment is the same on every machine: nothing of the caller's shell,
// such as a proxy or GOFLAGS, reaches the cluster.
func environment() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
}

func openLog(c layout.Cluster, name string) (*os.File, error) {
	path := c.Log(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
}

// Alive tells whether the component that Start started still runs.
func Alive(c layout.Cluster, name string) bool {
	known, err := read(c, name)
	return err == nil && runs(known)
}

// Signal sends sig to the component if it runs.
func Signal(c layout.Cluster, name string, sig syscall.Signal) error {
	known, err := read(c, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !runs(known) {
		return nil
	}
	if err := syscall.Kill(known.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("failed to send %s to %s (process %d): %w", sig, name, known.pid, err)
	}
	return nil
}

// AwaitEnd waits until the component has ended.
func AwaitEnd(ctx context.Context, c layout.Cluster, name string) error {
	for Alive(c, name) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still runs: %w", name, context.Cause(ctx))
		case <-time.After(pollInterval):
		}
	}
	return nil
}

func pidFile(c layout.Cluster, name string) string { return c.File("pid", name) }

func write(c layout.Cluster, name string, known id) error {
	path := pidFile(c, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%d %s\n", known.pid, known.started), 0o644)
}

func read(c layout.Cluster, name string) (id, error) {
	text, err := os.ReadFile(pidFile(c, name))
	if err != nil {
		return id{}, err
	}
	pid, started, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	number, err := strconv.Atoi(pid)
	if err != nil {
		return id{}, fmt.Errorf("%s holds %q, want a process id: %w", pidFile(c, name), text, err)
	}
	return id{number, started}, nil
}

func runs(known id) bool {
	started, err := startTime(known.pid)
	return err == nil && started == known.started
}

// startTime returns when the process started, in clock ticks since the machine
// did, or an error when it has ended (a zombie has).
func startTime(pid int) (string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The second field is the program's name in parentheses and may hold anything.
	end := strings.LastIndexByte(string(text), ')')
	fields := strings.Fields(string(text[end+1:]))
	if fields[0] == "Z" || fields[0] == "X" {
		return "", fmt.Errorf("process %d has ended", pid)
	}
	return fields[19], nil
}
