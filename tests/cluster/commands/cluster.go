package commands

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/lifecycle"
)

func up(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "up", Short: "Create the cluster, or start what does not run of it", Args: cobra.NoArgs,
		Long: "Create the cluster, or start what does not run of it. A cluster that is well stays as it is.\n" +
			"On Debian, as root, packages that are missing are installed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			started := time.Now()
			if err := lifecycle.Up(cmd.Context(), *name, &lifecycle.Report{Out: cmd.ErrOrStderr()}); err != nil {
				return err
			}
			c, err := layout.Find(*name)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "cluster %s is ready (%.1f s): export KUBECONFIG=%s\n",
				*name, time.Since(started).Seconds(), c.Kubeconfig("admin"))
			return nil
		},
	}
}

func down(name *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "down", Short: "End the cluster and remove everything of it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := []string{*name}
			if all {
				clusters, err := layout.All()
				if err != nil {
					return err
				}
				names = nil
				for _, c := range clusters {
					names = append(names, c.Name)
				}
			}
			var failed []error
			for _, each := range names {
				if err := lifecycle.Down(cmd.Context(), each, &lifecycle.Report{Out: cmd.ErrOrStderr()}); err != nil {
					failed = append(failed, fmt.Errorf("cluster %s: %w", each, err))
				}
			}
			return errors.Join(failed...)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every cluster on this machine")
	return cmd
}

func load(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "load FILE...", Short: "Load image archives (docker save, buildah push docker-archive:) into the cluster",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			c, err := layout.Find(*name)
			if err != nil {
				return err
			}
			return lifecycle.Load(cmd.Context(), c, files)
		},
	}
}

func collect(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "collect DIR", Short: "Write logs and state of the cluster into a folder, to explain a failed run",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := layout.Find(*name)
			if err != nil {
				return err
			}
			folder, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if err := lifecycle.Collect(cmd.Context(), c, folder); err != nil {
				return fmt.Errorf("%s is incomplete: %w", folder, err)
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "collected in", folder)
			return nil
		},
	}
}
