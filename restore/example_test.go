package restore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// Everybody whom the pool had two hours ago and has no more is made again. Without the call
// of Do it is a plan.
func Example() {
	var client *cip.Client      // of the pool's Region
	var users *sqlreplica.Store // with a History
	ctx := context.Background()

	run := func() error {
		r, err := restore.New(restore.Config{
			Client: client, PoolID: "eu-west-1_Ab12Cd34E", Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E",
			Replica: users, At: time.Now().Add(-2 * time.Hour), By: "operator on call",
		})
		if err != nil {
			return err
		}
		return r.Plan(ctx, func(step restore.Step) error {
			step, err := r.Do(ctx, step)
			fmt.Println(step.Kind, step.Then.Username, step.Why)
			return err
		})
	}
	if client != nil {
		if err := run(); err != nil {
			log.Fatal(err)
		}
	}
}
