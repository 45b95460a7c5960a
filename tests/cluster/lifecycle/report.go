package lifecycle

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

// Report tells the user what happens and how long it took.
type Report struct{ Out io.Writer }

// Time runs one step and prints it with its duration.
func (r *Report) Time(title string, do func() error) error {
	started := time.Now()
	err := do()
	mark := "ok"
	if err != nil {
		mark = "FAILED"
	}
	fmt.Fprintf(r.Out, "%-6s %5.1f s  %s\n", mark, time.Since(started).Seconds(), title)
	return err
}

// tailBytes is about thirty lines of a component's log.
const tailBytes = 4000

// tail returns the end of a log file for an error message.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("(no log: %s)", err)
	}
	if len(text) > tailBytes {
		text = text[len(text)-tailBytes:]
		if cut := bytes.IndexByte(text, '\n'); cut >= 0 {
			text = text[cut+1:]
		}
	}
	return string(text)
}
