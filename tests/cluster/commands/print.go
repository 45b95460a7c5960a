package commands

import (
	"fmt"
	"path/filepath"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"userengine.dev/testcluster/archive"
	"userengine.dev/testcluster/layout"
	"userengine.dev/testcluster/lifecycle"
	"userengine.dev/testcluster/parts"
	"userengine.dev/testcluster/process"
)

func kubeconfig(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "kubeconfig", Short: "Print the path of the administrator's kubeconfig", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := layout.Find(*name)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), c.Kubeconfig("admin"))
			return nil
		},
	}
}

func bin() *cobra.Command {
	return &cobra.Command{
		Use: "bin", Short: "Print the folder with kubectl, helm and testcluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			built, err := lifecycle.BuildFolder()
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), filepath.Join(built, "bin"))
			return nil
		},
	}
}

func list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the clusters on this machine", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			clusters, err := layout.All()
			if err != nil {
				return err
			}
			out := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(out, "NAME\tRUNNING\tAPI SERVER\tPODS\tSERVICES\tSTATE")
			for _, c := range clusters {
				running := 0
				for _, part := range parts.All() {
					if process.Alive(c, part.Name) {
						running++
					}
				}
				fmt.Fprintf(out, "%s\t%d/%d\t%s\t%s\t%s\t%s\n", c.Name, running, len(parts.All()),
					c.APIServer(), c.Pods(), c.Services(), c.State())
			}
			return out.Flush()
		},
	}
}

func image() *cobra.Command {
	var reference, output, user string
	cmd := &cobra.Command{
		Use: "image PROGRAM", Short: "Make an image archive that consists of one static program", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return archive.Write(output, runtime.GOARCH, archive.Image{Reference: reference, Program: args[0], User: user})
		},
	}
	cmd.Flags().StringVar(&reference, "reference", "", "name of the image, such as localhost/probe:1")
	cmd.Flags().StringVar(&output, "output", "", "file to write, for load")
	cmd.Flags().StringVar(&user, "user", "", "user id, and optionally :group id, to run as (default: root)")
	for _, flag := range []string{"reference", "output"} {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // the flag is defined two lines above
		}
	}
	return cmd
}
