package api

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// importJobs are imports of users from a file. The file is kept with the job until it is
// started.
var importJobs = document{
	kind: "import", called: "User import job", member: "UserImportJob", shape: "UserImportJobType", key: "JobId", name: func() string { return "import-" + newID()[:10] },
	check: func(p state.Pool, in, before state.Settings) error {
		if before != nil {
			return nil
		}
		if len(p.Rules().AutoVerifiedAttributes) == 0 {
			return &state.Error{Type: "PreconditionNotMetException", Message: "The user pool must be configured to auto-verify either email or phone_number."}
		}
		in["Status"] = mustRaw("Created")
		in["PreSignedUrl"] = mustRaw(importURL(p.ID, textOf(in["JobId"])))
		for _, count := range []string{"ImportedUsers", "SkippedUsers", "FailedUsers"} {
			in[count] = mustRaw(0)
		}
		return nil
	},
}

// ImportPattern is where the files of import jobs are put.
// (Unconfirmed: "where the file of an import job is put".)
const ImportPattern = "/{pool}/user-import/{job}"

// importURL has no host: the answer gets the server's.
func importURL(poolID, job string) string { return "/" + poolID + "/user-import/" + job }

// maxImport is how large a file of users may be.
const maxImport = 100 << 20

const importFile = "file" // the member of a job that no answer has

// Import serves PUT of a file of users.
func (a *API) Import(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxImport))
	if err != nil {
		http.Error(w, "The file is too large.", http.StatusRequestEntityTooLarge)
		return
	}
	pool, job := r.PathValue("pool"), r.PathValue("job")
	_, err = a.state.SetDocument(pool, importJobs.kind, job, func(before state.Document, exists bool, _ map[string]state.Document) (state.Settings, error) {
		if !exists || before.Text("Status") != "Created" {
			return nil, importJobs.missing(job)
		}
		after := maps.Clone(before.Members)
		after[importFile] = mustRaw(string(body))
		return after, nil
	})
	if err != nil {
		http.Error(w, "There is no job that waits for this file.", http.StatusNotFound)
	}
}

type onJob struct {
	UserPoolId string
	JobId      string
}

// changeJob changes a job that is in a status.
func (a *API) changeJob(in *onJob, status string, change func(state.Settings)) (state.Document, error) {
	return a.state.SetDocument(in.UserPoolId, importJobs.kind, in.JobId, func(before state.Document, exists bool, _ map[string]state.Document) (state.Settings, error) {
		switch {
		case !exists:
			return nil, importJobs.missing(in.JobId)
		case before.Text("Status") != status:
			return nil, &state.Error{Type: "PreconditionNotMetException", Message: fmt.Sprintf("The job is in status %s.", before.Text("Status"))}
		}
		after := maps.Clone(before.Members)
		change(after)
		return after, nil
	})
}

func (a *API) stopUserImportJob(in *onJob) (any, error) {
	doc, err := a.changeJob(in, "Created", func(m state.Settings) {
		delete(m, importFile)
		m["Status"], m["CompletionDate"] = mustRaw("Stopped"), mustRaw(epoch(a.state.Now()))
	})
	if err != nil {
		return nil, err
	}
	return importJobs.answer(in.UserPoolId, doc), nil
}

// startUserImportJob imports the users, which takes no time here; the answer is the job as
// it begins, as at AWS.
func (a *API) startUserImportJob(in *onJob) (any, error) {
	p, err := a.state.Describe(in.UserPoolId)
	if err != nil {
		return nil, err
	}
	doc, err := a.changeJob(in, "Created", func(m state.Settings) {
		m["Status"], m["StartDate"] = mustRaw("Pending"), mustRaw(epoch(a.state.Now()))
	})
	if err != nil {
		return nil, err
	}
	imported, skipped, failed, fault := a.importUsers(p, []byte(doc.Text(importFile)), doc.Text("PasswordHashingAlgorithm"))
	_, err = a.changeJob(in, "Pending", func(m state.Settings) {
		delete(m, importFile)
		m["Status"], m["CompletionDate"], m["CompletionMessage"] = mustRaw("Succeeded"), mustRaw(epoch(a.state.Now())), mustRaw("Import Job Completed Successfully.")
		if fault != nil {
			m["Status"], m["CompletionMessage"] = mustRaw("Failed"), mustRaw(fault.Error())
		}
		m["ImportedUsers"], m["SkippedUsers"], m["FailedUsers"] = mustRaw(imported), mustRaw(skipped), mustRaw(failed)
	})
	if err != nil {
		return nil, err
	}
	return importJobs.answer(in.UserPoolId, doc), nil
}

// importUsers makes a user of each line. One who is there already is skipped.
func (a *API) importUsers(p state.Pool, file []byte, algorithm string) (imported, skipped, failed int, fault error) {
	if len(file) == 0 {
		return 0, 0, 0, errors.New("no file was uploaded for the job")
	}
	r := csv.NewReader(bytes.NewReader(file))
	header, err := r.Read()
	if err != nil || !slices.Contains(header, "cognito:username") {
		return 0, 0, 0, errors.New("the header of the file is not that of the user pool")
	}
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			return imported, skipped, failed, nil
		}
		if err != nil {
			failed++
			continue
		}
		n := state.NewUser{Attributes: make(map[string]string), Enabled: true, Status: state.ResetRequired}
		for i, column := range header {
			switch value := strings.TrimSpace(line[i]); {
			case value == "":
			case column == "cognito:mfa_enabled":
				n.SMSMFA = strings.EqualFold(value, "true")
			case column == "cognito:username":
				n.Username = value
			case column == "password_hash":
				n.Hash = algorithm + ":" + value
				n.Status = state.Confirmed
			case strings.HasSuffix(column, "_verified"):
				n.Attributes[column] = strings.ToLower(value)
			default:
				n.Attributes[column] = value
			}
		}
		// Files say of everybody whether the number is verified, also of who has none.
		for _, name := range []string{"email", "phone_number"} {
			if n.Attributes[name] == "" {
				delete(n.Attributes, name+"_verified")
			}
		}
		switch _, err := a.state.ImportUser(p.ID, n); {
		case err == nil:
			imported++
		case refusedAs(err, state.UsernameExists, state.AliasExists):
			skipped++
		default:
			failed++
		}
	}
}

// hosted gives import jobs of an answer the address of the server.
func hosted(op operation) operation {
	serve := op.serve
	op.serve = func(ctx context.Context, a *API, body []byte) (any, error) {
		answer, err := serve(ctx, a, body)
		all, _ := answer.(map[string]any)
		jobs, _ := all["UserImportJobs"].([]any)
		for _, one := range append(jobs, all[importJobs.member]) {
			if job, ok := one.(map[string]any); ok {
				job["PreSignedUrl"] = a.maker.Base() + textOf(job["PreSignedUrl"].(json.RawMessage))
			}
		}
		return answer, err
	}
	return op
}
