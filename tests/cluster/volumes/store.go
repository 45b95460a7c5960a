package volumes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// The two kinds of volume, named by the parameter `kind` of a storage class
// and by the folder that holds them.
const (
	directoryKind = "directory"
	sizedKind     = "sized"
)

// store keeps volumes as folders of the node: root/KIND/NAME.
type store struct{ root string }

func (s store) path(kind, name string) string { return filepath.Join(s.root, kind, name) }

// create makes a volume that every user can write to, since a pod of these
// tests never runs as root and the kubelet does not change the owner of a
// host path.
func (s store) create(kind, name string, bytes int64) (string, error) {
	path := s.path(kind, name)
	switch kind {
	case directoryKind:
		return path, makeOpen(path)
	case sizedKind:
		if err := makeOpen(path); err != nil {
			return "", err
		}
		return path, mountSized(path, bytes)
	}
	return "", fmt.Errorf("storage class parameter kind is %q, want %q or %q", kind, directoryKind, sizedKind)
}

// resize gives the volume at path room for so many bytes. A directory has the
// room of the whole disk anyway.
func (s store) resize(path string, bytes int64) error {
	if s.kind(path) != sizedKind {
		return nil
	}
	return mountSized(path, bytes)
}

// delete removes the volume and what is in it.
func (s store) delete(path string) error {
	if s.kind(path) == "" {
		return fmt.Errorf("%s is not a volume below %s", path, s.root)
	}
	if err := unix.Unmount(path, 0); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("failed to unmount %s: %w", path, err)
	}
	return os.RemoveAll(path)
}

// kind returns the kind of the volume at path, or "" when it is none of ours.
func (s store) kind(path string) string {
	for _, kind := range []string{directoryKind, sizedKind} {
		if filepath.Dir(path) == filepath.Join(s.root, kind) {
			return kind
		}
	}
	return ""
}

func makeOpen(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	return os.Chmod(path, 0o777) // MkdirAll is subject to the umask
}

// mountSized mounts a tmpfs of the given size, or changes the size of the one
// that is mounted already: running pods see the new size at once.
func mountSized(path string, bytes int64) error {
	mounted, err := mountinfo.Mounted(path)
	if err != nil {
		return err
	}
	var flags uintptr
	if mounted {
		flags = unix.MS_REMOUNT
	}
	options := fmt.Sprintf("size=%d,mode=0777", bytes)
	if err := unix.Mount("tmpfs", path, "tmpfs", flags, options); err != nil {
		return fmt.Errorf("failed to mount a tmpfs of %d bytes on %s: %w", bytes, path, err)
	}
	return nil
}
