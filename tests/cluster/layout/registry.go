package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// ErrNoCluster means that there is no state folder of that name.
var ErrNoCluster = errors.New("no such cluster")

// Find returns the cluster called name, or ErrNoCluster.
func Find(name string) (Cluster, error) {
	if err := CheckName(name); err != nil {
		return Cluster{}, err
	}
	text, err := os.ReadFile(filepath.Join(Base, name, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return Cluster{}, fmt.Errorf("%w: %q (create it with: up --name %s)", ErrNoCluster, name, name)
	}
	if err != nil {
		return Cluster{}, err
	}
	index, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || index < 0 || index >= MaxClusters {
		return Cluster{}, fmt.Errorf("%s/%s/index says %q, want a number below %d", Base, name, text, MaxClusters)
	}
	return Cluster{Name: name, Index: index}, nil
}

// All returns every cluster on this machine, by name.
func All() ([]Cluster, error) {
	entries, err := os.ReadDir(Base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Cluster
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		cluster, err := Find(entry.Name())
		if errors.Is(err, ErrNoCluster) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, cluster)
	}
	return all, nil
}

// Claim returns the cluster called name and gives it the first free index when
// it does not exist yet.
func Claim(name string) (Cluster, error) {
	unlock, err := lock(".registry")
	if err != nil {
		return Cluster{}, err
	}
	defer unlock()
	if cluster, err := Find(name); !errors.Is(err, ErrNoCluster) {
		return cluster, err
	}
	all, err := All()
	if err != nil {
		return Cluster{}, err
	}
	for index := range MaxClusters {
		if slices.ContainsFunc(all, func(c Cluster) bool { return c.Index == index }) {
			continue
		}
		cluster := Cluster{Name: name, Index: index}
		if err := os.MkdirAll(cluster.State(), 0o755); err != nil {
			return Cluster{}, err
		}
		return cluster, os.WriteFile(cluster.File("index"), []byte(strconv.Itoa(index)+"\n"), 0o644)
	}
	return Cluster{}, fmt.Errorf("all %d cluster slots are taken: end one with down --name NAME (list shows them)", MaxClusters)
}

// Lock makes the caller the only one that changes the cluster called name. It
// waits for a caller that is busy with it.
func Lock(name string) (unlock func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	return lock(name + ".lock")
}

// lock takes an exclusive lock on a file below Base and removes the file with
// the lock, so that nothing stays behind. The file that a waiter obtains may
// therefore be one that its holder has just removed: then it tries again.
func lock(file string) (func(), error) {
	path := filepath.Join(Base, file)
	for {
		if err := os.MkdirAll(Base, 0o755); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			f.Close()
			return nil, fmt.Errorf("failed to lock %s: %w", path, err)
		}
		if sameFile(f, path) {
			return func() { release(f, path) }, nil
		}
		f.Close()
	}
}

func sameFile(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	current, err := os.Stat(path)
	return err == nil && os.SameFile(mine, current)
}

func release(f *os.File, path string) {
	os.Remove(path)
	os.Remove(Base) // succeeds only when no cluster is left
	f.Close()
}
