package parts

import (
	"fmt"

	"github.com/codegrant/codegrant/internal/refused"
)

// noPool says that a pool does not exist, in place of what the API and everything that an
// error went through say of it.
type noPool struct {
	id  string
	err error
}

func (e *noPool) Error() string {
	return fmt.Sprintf("the pool %s does not exist; check its id, the Region and the AWS account of the credentials, or, if somebody deleted the pool, see \"A pool was deleted\" in docs/restore.md", e.id)
}

func (e *noPool) Unwrap() error { return e.err }

// NoPool returns an error that says so, if err is that the pool does not exist. All other errors
// stay as they are: a pool that does not answer may exist.
func NoPool(err error, id string) error {
	if !refused.NoPool(err) {
		return err
	}
	return &noPool{id, err}
}
