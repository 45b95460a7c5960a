// Package commands is the command line that manages clusters.
package commands

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/lifecycle"
	"userengine.dev/testcluster/parts"
)

// Exit codes: what is wrong with the cluster or the machine is 1, what is
// wrong with the command line is 2.
const (
	exitFailed = 1
	exitUsage  = 2
)

// Execute runs the command line and returns the exit code.
func Execute() int {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var running bool
	root := newRoot(&running)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		if running {
			return exitFailed
		}
		fmt.Fprintln(os.Stderr, "see --help")
		return exitUsage
	}
	return 0
}

// newRoot builds the command tree; running becomes true when the command line
// turned out to be valid and the command itself starts.
func newRoot(running *bool) *cobra.Command {
	var name string
	root := &cobra.Command{
		Use:   "run",
		Short: "A real Kubernetes cluster on this machine, for tests",
		Long: `A real one-node Kubernetes cluster on this machine, for tests: no registry, no
virtual machine, nothing downloaded but Go modules and Debian packages. Several
clusters run side by side, each in its own network namespace.

  tests/cluster/run up
  export KUBECONFIG=$(tests/cluster/run kubeconfig) PATH=$(tests/cluster/run bin):$PATH
  kubectl get nodes
  tests/cluster/run down

The programs of a cluster are commands too, such as "run kubectl" and "run etcd".`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if err := layout.CheckName(name); err != nil {
				return err
			}
			*running = true
			return nil
		},
	}
	root.PersistentFlags().StringVar(&name, "name", "dev", "name of the cluster, 1 to 12 characters of a-z, 0-9 and '-'")
	root.AddCommand(
		up(&name), down(&name), load(&name), kubeconfig(&name), bin(), list(), collect(&name), image(),
		onComponent(&name, "stop-component", "Stop one component of the cluster (SIGTERM) and wait until it has ended", lifecycle.StopComponent),
		onComponent(&name, "kill-component", "Kill one component of the cluster (SIGKILL), as a crash would", lifecycle.KillComponent),
		onComponent(&name, "start-component", "Start one component of the cluster and wait until it is ready", lifecycle.StartComponent),
	)
	return root
}

func onComponent(name *string, use, short string, do func(context.Context, layout.Cluster, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " COMPONENT", Short: short, Args: cobra.ExactArgs(1), ValidArgs: parts.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := layout.Find(*name)
			if err != nil {
				return err
			}
			return do(cmd.Context(), c, args[0])
		},
	}
}
