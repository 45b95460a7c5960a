package archive

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestTheSameProgramGivesTheSameImage(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "program")
	if err := os.WriteFile(program, []byte("content"), 0o755); err != nil {
		t.Fatal(err)
	}
	var archives [][]byte
	for _, name := range []string{"one.tar", "two.tar"} {
		path := filepath.Join(folder, name)
		if err := Write(path, "amd64", Image{Reference: "localhost/x:1", Program: program, User: "10001"}); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		archives = append(archives, content)
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("the archives differ")
	}
	for _, part := range []string{"localhost/x:1", `"User":"10001"`, `"Entrypoint":["/program"]`} {
		if !bytes.Contains(archives[0], []byte(part)) {
			t.Errorf("the archive does not mention %s", part)
		}
	}
}
