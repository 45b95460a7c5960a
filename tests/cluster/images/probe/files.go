package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// sum prints a line for each entry below a folder, in the order of their paths,
// and the sum over these lines: two folders with equal sums are equal in
// names, kinds, modes and contents.
func sum(args []string) error {
	plain, _, err := parse(args, 1)
	if err != nil {
		return err
	}
	total := sha256.New()
	err = filepath.WalkDir(plain[0], func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line, err := describe(plain[0], path, entry)
		if err != nil {
			return err
		}
		fmt.Print(line)
		_, err = io.WriteString(total, line)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("%x  total\n", total.Sum(nil))
	return nil
}

func describe(root, path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(root, path)
	if err != nil {
		return "", err
	}
	content := "-"
	switch {
	case info.Mode().IsRegular():
		if content, err = digest(path); err != nil {
			return "", err
		}
	case info.Mode()&fs.ModeSymlink != 0:
		if content, err = os.Readlink(path); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s  %s  %q\n", content, info.Mode(), relative), nil
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), nil
}

// write fills a file with so many bytes and syncs it, so that a full disk
// shows here and not later.
func write(args []string) error {
	plain, _, err := parse(args, 2)
	if err != nil {
		return err
	}
	bytes, err := strconv.ParseInt(plain[1], 10, 64)
	if err != nil || bytes < 0 {
		return usageError("want a number of bytes, not " + plain[1])
	}
	f, err := os.Create(plain[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(f, pattern{}, bytes); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// pattern is an endless reader of a byte that takes room on every file system.
type pattern struct{}

func (pattern) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func cat(args []string) error {
	plain, _, err := parse(args, -1)
	if err != nil {
		return err
	}
	for _, path := range plain {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(os.Stdout, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func cp(args []string) error {
	plain, _, err := parse(args, 2)
	if err != nil {
		return err
	}
	from, err := os.Open(plain[0])
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.Create(plain[1])
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}

// page is how SQLite lays out a file: what stands together in a row stands in one page.
const page = 4096

// spoil changes one letter of each WORD that follows a NEAR within its page: what a bad sector does to one row.
func spoil(args []string) error {
	plain, _, err := parse(args, 3)
	if err != nil {
		return err
	}
	name, near, word := plain[0], []byte(plain[1]), []byte(plain[2])
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	spoilt := 0
	for from := 0; ; {
		at := bytes.Index(data[from:], near)
		if at < 0 {
			break
		}
		from += at + len(near)
		end := min(len(data), (from/page+1)*page)
		if found := bytes.Index(data[from:end], word); found >= 0 {
			place := from + found + len(word)
			if _, err := file.WriteAt([]byte{data[place] ^ 1}, int64(place)); err != nil {
				return err
			}
			spoilt++
		}
	}
	fmt.Println(spoilt)
	if spoilt == 0 {
		return errors.New("nothing found to spoil")
	}
	return file.Sync()
}

func rm(args []string) error {
	plain, _, err := parse(args, -1)
	if err != nil {
		return err
	}
	for _, path := range plain {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}
