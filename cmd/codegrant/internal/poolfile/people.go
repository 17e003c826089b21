package poolfile

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/poolcopy"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

// people writes the seed of a local pool.
func (c Export) people(ctx context.Context, out *terminal.Streams) error {
	switch {
	case c.To == "":
		return errors.New("say where to write the seed: --to FILE")
	case c.Replica != "" && c.Backup != "":
		return errors.New("choose where people are read: --replica or --backup, or neither to read them from the pool")
	case c.Backup != "" && len(c.Identity) == 0:
		return errors.New("name the secret key with --identity")
	case c.Factors && c.Replica+c.Backup != "":
		return errors.New("only the pool has the second factors of people: remove --second-factors, or --replica and --backup")
	case c.Limit < 0:
		return errors.New("--limit is a number of people, or 0 for all")
	}
	api, err := client(ctx, c.PoolID, c.Endpoint, c.Profile)
	if err != nil {
		return err
	}
	var f *File
	ids := make(map[string]string)
	if c.File != "" {
		f, err = readFile(c.File)
	} else if f, err = read(ctx, api, c.PoolID); err == nil {
		ids, err = clientIDs(ctx, api, c.PoolID)
	}
	if err != nil {
		return parts.NoPool(err, c.PoolID)
	}
	people := poolcopy.FromReplica(c.Replica, c.PoolID)
	if c.Backup != "" {
		people = poolcopy.FromBackup(c.Backup, c.Identity, c.PoolID)
	} else if c.Replica == "" {
		if people, err = poolcopy.FromAPI(api, c.PoolID, c.Factors); err != nil {
			return err
		}
	}
	r, err := poolcopy.Write(ctx, c.To, f.copied(c.PoolID, ids), people, c.Limit)
	if err != nil {
		return parts.NoPool(err, c.PoolID)
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, r)
	}
	fmt.Fprintf(out.Stdout, "%s of the pool, without a value of theirs, in %s\n", terminal.Plural(r.People, "person"), c.To)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(out.Stdout, "  %s: %d\n", terminal.Printable(status), r.Statuses[status])
	}
	fmt.Fprintf(out.Stdout, "password of everybody: %s\n", r.Password)
	if r.Authenticator != "" {
		fmt.Fprintf(out.Stdout, "key of every authenticator app: %s\n", r.Authenticator)
	}
	fmt.Fprintf(out.Stdout, "Start the pool: codegrant pool --seed %s\n", c.To)
	return nil
}

// copied is what a seed says of a pool.
func (f *File) copied(id string, ids map[string]string) poolcopy.Pool {
	name, _ := f.Pool["Name"].(string)
	p := poolcopy.Pool{ID: id, Name: name, Configuration: f.nameless(), Groups: slices.Collect(maps.Keys(f.Groups)), Schema: attributes(f.Pool["SchemaAttributes"])}
	list, _ := f.Pool["UsernameAttributes"].([]any)
	p.ByAddress = len(list) > 0
	policies, _ := f.Pool["Policies"].(settings)
	policy, _ := policies["PasswordPolicy"].(settings)
	if n := number(policy["MinimumLength"]); n != nil {
		p.MinPassword = int(*n)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Clients)) {
		client := poolcopy.Client{ID: ids[name], Name: name}
		if client.ID == "" {
			client.ID = strings.ToLower(rand.Text())
		}
		if f.Clients[name]["GenerateSecret"] == true {
			client.Secret = strings.ToLower(rand.Text() + rand.Text())
		}
		p.Clients = append(p.Clients, client)
	}
	return p
}

// attributes are those of a schema.
func attributes(schema any) map[string]poolcopy.Attribute {
	all := make(map[string]poolcopy.Attribute)
	list, _ := schema.([]any)
	for _, one := range list {
		a, _ := one.(settings)
		made := poolcopy.Attribute{Type: fmt.Sprint(a["AttributeDataType"])}
		text, _ := a["StringAttributeConstraints"].(settings)
		of, _ := a["NumberAttributeConstraints"].(settings)
		if made.Type == "Number" {
			made.Min, made.Max = number(of["MinValue"]), number(of["MaxValue"])
		} else {
			made.Min, made.Max = number(text["MinLength"]), number(text["MaxLength"])
		}
		all[fmt.Sprint(a["Name"])] = made
	}
	return all
}

// number is a setting that is one, which some are as texts.
func number(v any) *int64 {
	text, ok := v.(string)
	if n, is := v.(json.Number); is {
		text, ok = n.String(), true
	}
	if n, err := strconv.ParseInt(text, 10, 64); ok && err == nil {
		return &n
	}
	return nil
}

// clientIDs are the ids of app clients, by name.
func clientIDs(ctx context.Context, api *cip.Client, id string) (map[string]string, error) {
	ids := make(map[string]string)
	for pages := cip.NewListUserPoolClientsPaginator(api, &cip.ListUserPoolClientsInput{UserPoolId: &id}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list app clients: %w", err)
		}
		for _, c := range page.UserPoolClients {
			ids[aws.ToString(c.ClientName)] = aws.ToString(c.ClientId)
		}
	}
	return ids, nil
}
