package parts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
)

var errBesideDjango = errors.New("beside Django's tables there is no backup of people: the accounts are Django's; back up the database with its own tool")

// ForBackup opens the database of a configuration, with the tables of a replica.
func ForBackup(ctx context.Context, file string) (config backup.Config, done func(), err error) {
	s, err := Inspection{Config: file}.Load(UsesPeople)
	if err != nil {
		return backup.Config{}, nil, err
	}
	o, err := LookAtStores(s)
	if err != nil {
		return backup.Config{}, nil, err
	}
	if err = o.CheckPeople(ctx); err == nil && o.Django {
		err = errBesideDjango
	}
	if err != nil {
		o.Close()
		return backup.Config{}, nil, err
	}
	return backup.Config{DB: o.DB.DB, Dialect: o.DB.Dialect}, o.Close, nil
}

// Recipients are public keys of age, and those in files.
func Recipients(keys, files []string) (all []age.Recipient, err error) {
	for _, key := range keys {
		r, err := age.ParseRecipients(strings.NewReader(key))
		if err != nil {
			return nil, fmt.Errorf("--recipient %.80q is not a public key of age, such as age1…", key)
		}
		all = append(all, r...)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		r, err := age.ParseRecipients(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: it has a line that is not a public key of age", file)
		}
		all = append(all, r...)
	}
	return all, nil
}

// Identities are the secret keys of age in files. An error never has one in it.
func Identities(files []string) (all []age.Identity, err error) {
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		i, err := age.ParseIdentities(f)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: it has a line that is not a secret key of age", file)
		}
		all = append(all, i...)
	}
	return all, nil
}
