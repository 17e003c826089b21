package account

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// Sentences for what the pool refuses.
const (
	tooMany        text = "There were too many attempts, so the sign-in service accepts no more at the moment. Try again later. Nothing has been changed."
	wrongCode      text = "The code is not correct. Enter it again, or send another code."
	oldCode        text = "The code has expired or was used before. Send another code."
	wrongAppCode   text = "The code is not correct. Wait for the next one, and check that the clock of your phone is correct."
	taken          text = "Another account already uses this."
	wrongPassword  text = "The current password is not correct."
	weakPassword   text = "The new password does not meet the rules for passwords."
	tooShort       text = "The new password is too short."
	tooLong        text = "The new password is too long."
	needsUpper     text = "The new password needs a capital letter."
	needsLower     text = "The new password needs a small letter."
	needsDigit     text = "The new password needs a digit."
	needsSymbol    text = "The new password needs a special character, such as ! or -."
	usedBefore     text = "You have used this password before. Choose another one."
	notWritable    text = "The sign-in service does not let this service change that."
	notTaken       text = "The sign-in service does not accept one of these values. Check that they are correct."
	notSent        text = "The code could not be sent. Check that the address is correct, and try again."
	notSwitched    text = "The sign-in service does not let you change this. It may be required or turned off for everybody."
	noApps         text = "The sign-in service accepts no authenticator apps, or the set-up has expired. Begin again."
	noPasskeysHere text = "The sign-in service does not accept passkeys."
	isGone         text = "It was already removed."
	atTheSameTime  text = "Your account was changed elsewhere at the same time. Try again."
	refusedByOwner text = "This service does not allow this change."
	notForYou      text = "The sign-in service does not allow this for your account."
	notInOrder     text = "The sign-in service is not set up correctly. Nothing has been changed. Please contact support and quote this: %s"
)

// reasons are sentences by code, and by operation and code where that says more.
var reasons = map[string]text{
	"LimitExceededException": tooMany, "TooManyFailedAttemptsException": tooMany, "CodeMismatchException": wrongCode, "ExpiredCodeException": oldCode,
	"AliasExistsException": taken, "UsernameExistsException": taken, "InvalidPasswordException": weakPassword, "PasswordHistoryPolicyViolationException": usedBefore,
	"InvalidParameterException": notTaken, "CodeDeliveryFailureException": notSent, "ConcurrentModificationException": atTheSameTime,
	"EnableSoftwareTokenMFAException": wrongAppCode, "SoftwareTokenMFANotFoundException": noApps, "WebAuthnNotEnabledException": noPasskeysHere,
	"FeatureUnavailableInTierException": notSwitched, "UserLambdaValidationException": refusedByOwner, "ForbiddenException": refusedByOwner,
	"AccessDeniedException": notForYou, "NotAuthorizedException": notForYou, "UserNotConfirmedException": notForYou,

	"ChangePassword NotAuthorizedException":                          wrongPassword,
	"UpdateUserAttributes NotAuthorizedException":                    notWritable,
	"VerifySoftwareToken CodeMismatchException":                      wrongAppCode,
	"VerifySoftwareToken InvalidParameterException":                  wrongAppCode,
	"VerifyUserAttribute InvalidParameterException":                  wrongCode,
	"SetUserMFAPreference InvalidParameterException":                 notSwitched,
	"SetUserMFAPreference NotAuthorizedException":                    notSwitched,
	"ChangePassword InvalidParameterException":                       weakPassword,
	"DeleteWebAuthnCredential ResourceNotFoundException":             isGone,
	"GetUserAttributeVerificationCode UserLambdaValidationException": notSent,
}

// rules are what a pool says of a password, after "did not conform with policy".
var rules = []struct {
	says string
	text text
}{
	{"not long enough", tooShort}, {"too long", tooLong}, {"uppercase", needsUpper}, {"lowercase", needsLower}, {"numeric", needsDigit}, {"symbol", needsSymbol},
}

// sentence is what a person reads of a refusal.
func (v *visit) sentence(e *cognito.APIError) string {
	switch {
	case e.Code == "InvalidPasswordException":
		for _, r := range rules {
			if strings.Contains(strings.ToLower(e.Message), r.says) {
				return v.say(r.text)
			}
		}
	case e.Code == "NotAuthorizedException" && strings.Contains(e.Message, "attempts exceeded"):
		return v.say(tooMany)
	}
	if t, ok := reasons[e.Operation+" "+e.Code]; ok {
		return v.say(t)
	}
	if t, ok := reasons[e.Code]; ok {
		return v.say(t)
	}
	return v.say(notInOrder, e.Code)
}

// over are codes that say that the person's tokens are of no more use there.
var over = []string{"UserNotFoundException", "PasswordResetRequiredException"}

// isOver reports whether it is the access token that was refused, and nothing else.
func isOver(e *cognito.APIError) bool {
	return slices.Contains(over, e.Code) ||
		e.Code == "NotAuthorizedException" && (strings.Contains(e.Message, "Access Token") || strings.Contains(e.Message, "User is disabled"))
}

// failed says in a sentence why the pool refused something. It reports false where it has
// answered the request itself: the pool does not answer, or the person has to sign in.
func (p *Pages) failed(v *visit, err error) (string, bool) {
	var e *cognito.APIError
	if !errors.As(err, &e) {
		p.Auth.Refuse(v.w, v.r, v.id, fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err))
		return "", false
	}
	p.log(v, slog.LevelInfo, "account change refused", slog.String("operation", e.Operation), slog.String("code", e.Code))
	if isOver(e) {
		p.stop(v, http.StatusForbidden, tokenEnded)
		return "", false
	}
	return v.sentence(e), true
}
