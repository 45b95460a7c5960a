package lifecycle

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/parts"
	"userengine.dev/testcluster/process"
)

// stopTimeout is how long a component may take to end by itself.
const stopTimeout = 20 * time.Second

// StopComponent asks the component to end, as an administrator would, and
// waits for it. One that does not obey is killed, and that is an error.
func StopComponent(ctx context.Context, c layout.Cluster, name string) error {
	if _, err := parts.Find(name); err != nil {
		return err
	}
	if err := process.Signal(c, name, syscall.SIGTERM); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := process.AwaitEnd(patience, c, name); err != nil {
		_ = KillComponent(ctx, c, name)
		return fmt.Errorf("%s had to be killed: it did not end within %s of SIGTERM", name, stopTimeout)
	}
	return nil
}

// KillComponent ends the component at once (SIGKILL), as a crash would.
func KillComponent(ctx context.Context, c layout.Cluster, name string) error {
	if _, err := parts.Find(name); err != nil {
		return err
	}
	if err := process.Signal(c, name, syscall.SIGKILL); err != nil {
		return err
	}
	patience, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return process.AwaitEnd(patience, c, name)
}

// StartComponent starts the component unless it runs, and waits until it is ready.
func StartComponent(ctx context.Context, c layout.Cluster, name string) error {
	part, err := parts.Find(name)
	if err != nil {
		return err
	}
	if err := start(c, []parts.Part{part}); err != nil {
		return err
	}
	return await(ctx, c, part)
}
