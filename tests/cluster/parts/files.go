package parts

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"userengine.dev/testcluster/layout"
)

//go:embed templates
var templates embed.FS

// WriteFiles writes the configuration of every part. All of it follows from
// the cluster's name and index, so an existing file is simply written again.
func WriteFiles(c layout.Cluster) error {
	files := map[string]string{
		"containerd.toml": c.File("containerd.toml"),
		"cni.conflist":    c.File("cni", "conf", "10-cluster.conflist"),
		"kubelet.yaml":    c.File("kubelet.yaml"),
		"Corefile":        c.File("Corefile"),
		"resolv.conf":     c.File("resolv.conf"),
	}
	parsed, err := template.ParseFS(templates, "templates/*")
	if err != nil {
		return err
	}
	for name, path := range files {
		if err := render(parsed.Lookup(name), path, c); err != nil {
			return fmt.Errorf("failed to write %s: %w", path, err)
		}
	}
	return nil
}

func render(t *template.Template, path string, c layout.Cluster) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return t.Execute(f, c)
}
