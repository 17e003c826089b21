package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// atPool asks a pool about single people, by AWS's API and the credentials of AWS's tools.
type atPool struct {
	g    *generation
	pool *settings.Pool

	mu     sync.Mutex
	source directory.Source // nil: not opened yet
	client *cognitoidentityprovider.Client
	sync   *directory.Sync
}

var errNoCredentials = errors.New("there are no AWS credentials; run it where a role allows cognito-idp:ListUsers and cognito-idp:AdminListGroupsForUser, or set AWS_PROFILE")

// credentialsTimeout is how long whoever has credentials may take.
const credentialsTimeout = 3 * time.Second

// open finds out how the pool is asked, until that succeeds.
func (a *atPool) open(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.source != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, credentialsTimeout)
	defer cancel()
	client, id, err := parts.PoolClient(ctx, a.pool.Issuer, a.pool.Config.Pool.Region, a.g.process.log)
	if errors.Is(err, awsapi.ErrNoCredentials) {
		return errNoCredentials
	}
	if err != nil {
		return err
	}
	source, err := directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: a.g.process.log})
	if err != nil {
		return err
	}
	a.source, a.client = source, client
	return nil
}

func (a *atPool) id() string { return a.pool.Issuer[strings.LastIndexByte(a.pool.Issuer, '/')+1:] }

// says is what the pool has of somebody.
func (a *atPool) says(ctx context.Context, subject string) (console.PoolUser, error) {
	if err := a.open(ctx); err != nil {
		return console.PoolUser{}, err
	}
	u, err := a.source.User(ctx, subject)
	if errors.Is(err, directory.ErrNotFound) {
		return console.PoolUser{}, console.ErrNotThere
	}
	if err != nil {
		return console.PoolUser{}, err
	}
	out := console.PoolUser{Username: u.Username, Enabled: u.Enabled, Status: u.Status, Attributes: u.Attributes}
	id := a.id()
	pages := cognitoidentityprovider.NewAdminListGroupsForUserPaginator(a.client, &cognitoidentityprovider.AdminListGroupsForUserInput{UserPoolId: &id, Username: &u.Username})
	for pages.HasMorePages() && len(out.Groups) < 1000 {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return console.PoolUser{}, fmt.Errorf("groups: %w", err)
		}
		for _, g := range page.Groups {
			if g.GroupName != nil {
				out.Groups = append(out.Groups, *g.GroupName)
			}
		}
	}
	slices.Sort(out.Groups)
	return out, nil
}

// lookUp brings the replica in line with what the pool has of somebody.
func (a *atPool) lookUp(ctx context.Context, subject string) (changes []string, err error) {
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	sync, err := a.syncer(ctx)
	if err != nil {
		return nil, err
	}
	before, err := a.g.stores.replica.UserBySubject(ctx, a.pool.Issuer, subject)
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		return nil, err
	}
	after, err := sync.UserAndGroups(ctx, subject)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, replica.ErrNotFound) {
		return nil, console.ErrNotThere
	}
	if err != nil {
		return nil, err
	}
	if !before.Updated.Equal(after.Updated) {
		changes = append(changes, "updated")
	}
	return changes, nil
}

func (a *atPool) syncer(ctx context.Context) (*directory.Sync, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sync != nil {
		return a.sync, nil
	}
	st := a.g.stores
	if a.g.Database.Migrate {
		if err := st.journal.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	config := directory.Config{Source: a.source, Issuer: a.pool.Issuer, Replica: st.users, Journal: st.journal, Marks: st.marks, Logger: a.g.process.log}
	if st.sessions != nil {
		config.Sessions = parts.NewEnds(st.queue, a.g.Settings).Synced(st.sessions, a.pool.Issuer, a.g.process.log)
		for i := range a.g.Pools { // whatever app client they signed in at
			if a.g.Pools[i].Issuer != a.pool.Issuer {
				continue
			}
			bound, err := codegrant.SessionPool(a.g.Pools[i].Config.Pool)
			if err != nil {
				return nil, err
			}
			config.SessionPools = append(config.SessionPools, bound)
		}
	}
	sync, err := directory.New(config)
	if err == nil {
		a.sync = sync
	}
	return sync, err
}
