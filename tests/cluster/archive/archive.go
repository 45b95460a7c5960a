// Package archive writes container images that consist of one static program,
// in the format of `docker save`, without a registry or an image builder.
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Image describes what to write.
type Image struct {
	// Reference is the name that pods use, such as localhost/pause:1.
	Reference string
	// Program is the path of the static binary that the image consists of.
	Program string
	// User is the user id, and optionally :group id, that it runs as.
	User string
}

type configuration struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Config       struct {
		User       string   `json:"User,omitempty"`
		Entrypoint []string `json:"Entrypoint"`
		Env        []string `json:"Env"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

type manifest struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// Write writes the image to path, which appears only once it is complete. The
// program becomes /NAME in the image, and its entry point.
func Write(path, architecture string, image Image) error {
	program, err := os.ReadFile(image.Program)
	if err != nil {
		return err
	}
	entry := "/" + filepath.Base(image.Program)
	layer, err := pack([]member{{entry[1:], 0o755, program}})
	if err != nil {
		return err
	}
	var config configuration
	config.Architecture, config.OS = architecture, "linux"
	config.Config.User = image.User
	config.Config.Entrypoint = []string{entry}
	config.Config.Env = []string{"PATH=/"}
	config.RootFS.Type = "layers"
	config.RootFS.DiffIDs = []string{"sha256:" + digest(layer)}
	configJSON, err := json.Marshal(config)
	if err != nil {
		return err
	}
	configName, layerName := digest(configJSON)+".json", digest(layer)+".tar"
	manifestJSON, err := json.Marshal([]manifest{{configName, []string{image.Reference}, []string{layerName}}})
	if err != nil {
		return err
	}
	all, err := pack([]member{{configName, 0o644, configJSON}, {layerName, 0o644, layer}, {"manifest.json", 0o644, manifestJSON}})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", all, 0o644); err != nil {
		return fmt.Errorf("failed to write the image %s: %w", image.Reference, err)
	}
	return os.Rename(path+".new", path)
}

type member struct {
	name    string
	mode    int64
	content []byte
}

// pack makes a tar archive. It holds no times, so the same program always
// gives the same image.
func pack(members []member) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, m := range members {
		header := &tar.Header{Name: m.name, Mode: m.mode, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := w.Write(m.content); err != nil {
			return nil, err
		}
	}
	err := w.Close() // writes the end of the archive
	return out.Bytes(), err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
