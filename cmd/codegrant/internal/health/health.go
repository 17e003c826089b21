package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
)

type Command struct {
	Config  string        `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file of the process. Only ops_listen is read. Defaults to codegrant.yaml."`
	At      string        `placeholder:"ADDRESS" help:"Ask at this address instead of ops_listen, such as 127.0.0.1:9090 or unix:/path."`
	Live    bool          `help:"Check only that the process answers, not that it is ready."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Help is shown by codegrant health --help.
func (Command) Help() string {
	return `Asks a codegrant serve on this machine, at its ops_listen, whether it can answer
requests of people who are signed in. If not, it prints what is missing. Use it for
health checks of containers that have no other program.

Exit status: 0 if it is ready, 1 if it is not or does not answer.

Examples:
  codegrant health --config /etc/codegrant/codegrant.yaml
  codegrant health --live --at 127.0.0.1:9090`
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	at := c.At
	if at == "" {
		var err error
		if at, err = settings.OpsListen(c.Config, nil); err != nil {
			return err
		}
	}
	if at == "" {
		return fmt.Errorf("%s has no ops_listen; add one, such as ops_listen: 127.0.0.1:9090, or say --at", c.Config)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	client, host := listen.Reach(at)
	path := "/readyz"
	if c.Live {
		path = "/healthz"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		return fmt.Errorf("%q is not an address: %w", at, err)
	}
	answer, err := client.Do(request)
	if err != nil {
		if fault, ok := errors.AsType[*url.Error](err); ok {
			err = fault.Err
		}
		return fmt.Errorf("%s does not answer: %w", at, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", at, err)
	}
	return c.tell(at, answer.StatusCode, body, out)
}

func (c Command) tell(at string, status int, body []byte, out *terminal.Streams) error {
	if c.Live {
		if status != http.StatusOK {
			return fmt.Errorf("%s answers %d", at, status)
		}
		fmt.Fprintln(out.Stdout, "alive")
		return nil
	}
	var report struct {
		Ready, Degraded bool
		Checks          []struct {
			Name, Error string
			OK          bool
		}
	}
	if err := json.Unmarshal(body, &report); err != nil || status == http.StatusOK != report.Ready {
		return fmt.Errorf("%s answers %d, and not as codegrant serve does at its ops_listen", at, status)
	}
	var faults []string
	for _, check := range report.Checks {
		if !check.OK {
			faults = append(faults, terminal.Printable(check.Name+": "+check.Error))
		}
	}
	switch {
	case !report.Ready && len(faults) == 0:
		return errors.New("not ready: it has not asked anybody yet")
	case !report.Ready:
		return fmt.Errorf("not ready: %s", strings.Join(faults, "; "))
	case report.Degraded:
		fmt.Fprintf(out.Stdout, "ready, but %s\n", strings.Join(faults, "; "))
	default:
		fmt.Fprintln(out.Stdout, "ready")
	}
	return nil
}
