package account

import "github.com/codegrant/codegrant/internal/pages"

// text is in English, and in the catalogue of package pages in every language.
type text string

// say is a text in the language of the request, with values that come from elsewhere.
func (v *visit) say(t text, values ...any) string { return pages.Text(v.r, string(t), values...) }

// What the pages say.
const (
	yourAccount    text = "Your account"
	backToAccount  text = "Back to your account"
	toChange       text = "Change"
	toSave         text = "Save"
	toStart        text = "Go to the start page"
	signInAgain    text = "Sign in again"
	notSet         text = "Not set"
	turnedOn       text = "It is turned on."
	turnedOff      text = "It is turned off."
	hasBeenSaved   text = "Your changes are saved."
	nothingChanged text = "You have changed nothing."

	yourProfile text = "Your profile"

	yourEmail      text = "E-mail address"
	yourPhone      text = "Phone number"
	phoneForm      text = "With the country code, such as +49 151 1234567."
	isConfirmed    text = "Confirmed"
	notConfirmed   text = "Not confirmed"
	newAddress     text = "New address"
	newNumber      text = "New number"
	codeComes      text = "A code comes to the new one. Enter it here to confirm that it is yours."
	codeSent       text = "A code is on its way. Enter it here."
	haveCode       text = "Enter the code"
	theCode        text = "The code"
	toConfirm      text = "Confirm"
	sendAgain      text = "Send another code"
	isConfirmedNow text = "It is confirmed."
	noAddress      text = "Enter an e-mail address such as name@example.com."
	noNumber       text = "Enter a phone number with the country code, such as +49 151 1234567."

	yourPassword    text = "Your password"
	currentPassword text = "Current password"
	newPassword     text = "New password"
	samePassword    text = "New password, once more"
	changePassword  text = "Change the password"
	passwordChanged text = "Your password is changed. Other browsers stay signed in: end their sessions if you do not know them."
	notTheSame      text = "The two new passwords are not the same."
	passwordNote    text = "Nobody will ask you for it by phone or e-mail."
	emptyIfNone     text = "Leave it empty if you have none yet."
	signsInBy       text = "You sign in with %s, where your password is."

	yourAuthenticator text = "Authenticator app"
	authenticatorIs   text = "An app on your phone shows a code, which you are asked for after your password."
	setUp             text = "Set up an app"
	setUpAnother      text = "Set up another app in its place"
	scanThis          text = "Scan this with the app, or type the key beneath it. Then enter the code that the app shows. The key is shown this once."
	keyAsPicture      text = "The key as a QR code"
	enterItsCode      text = "Enter the code that the app shows now. To scan once more, begin again."
	beginAgain        text = "Begin again"
	nameOfApp         text = "Name of the phone or app"
	optional          text = "You can leave it empty."
	turnOn            text = "Turn on"
	turnOff           text = "Turn off"
	isTurnedOn        text = "The authenticator app is set up. You will be asked for its code when you sign in."
	isTurnedOff       text = "The authenticator app is turned off."

	yourPasskeys  text = "Your passkeys"
	passkeysAre   text = "A passkey signs you in by your fingerprint, your face or the lock of your device."
	addPasskey    text = "Add a passkey"
	noPasskeys    text = "You have no passkeys."
	aPasskey      text = "A passkey"
	addedOn       text = "Added on %s"
	toRemove      text = "Remove"
	isRemoved     text = "The passkey is removed. Delete it on your device, too."
	noneRemembers text = "More than this page shows: remove some first."

	recovery       text = "If you cannot sign in"
	recoverBy      text = "If you forget your password, a code to choose a new one can come to: %s"
	recoverByNone  text = "If you forget your password, no code can come to you: no address or number of yours is confirmed."
	losePhone      text = "Without the phone of your authenticator app you cannot sign in by password. Add a passkey, too, or ask the people who run this service."
	yourSessions   text = "Your sessions"
	sessionsAre    text = "See where you are signed in, and end it."
	showSessions   text = "Show your sessions"
	deleteAccount  text = "Delete your account"
	deletionMeans  text = "Your account and what the sign-in service knows of you are deleted at once, everywhere that you use it. Nobody can bring it back."
	deletionIsMine text = "I know that this cannot be undone."
	isDeleted      text = "Your account is deleted"
	isSignedOut    text = "You are signed out everywhere."
	toContinue     text = "Continue"
	sayThatYouKnow text = "Tick the box if you want that."

	cannotChange text = "Your account cannot be changed here"
	noScope      text = "This service has not asked the sign-in service for the permission to change your account. Sign in again. If that does not help, tell the people who run this service."
	tokenEnded   text = "The sign-in service no longer takes your sign-in. Sign in again, and then try once more. Nothing has been changed."
	waitMinutes  text = "You have tried this too often. Wait %s, and then try again. Nothing has been changed."
)

// labels of standard attributes.
var labels = map[string]text{
	"name": "Full name", "given_name": "First name", "family_name": "Last name", "middle_name": "Middle name", "nickname": "Nickname", "preferred_username": "Preferred username",
	"birthdate": "Date of birth", "gender": "Gender", "locale": "Language", "zoneinfo": "Time zone", "website": "Web site", "profile": "Profile page", "picture": "Picture", "address": "Postal address",
	email: yourEmail, phone: yourPhone,
}
