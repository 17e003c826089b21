import { useEffect, useState } from "react";

import { api, signIn, signOut } from "./api.js";

export function App() {
  const [user, setUser] = useState(); // undefined: not known yet; null: nobody is signed in
  const [problem, setProblem] = useState();

  // fail handles every error of the service in one place.
  function fail(error) {
    if (error.problem?.login_url) {
      signIn(error.problem.login_url); // 401: the session has ended, or a step-up is needed
    } else {
      setProblem(error.problem ?? { title: error.message });
    }
  }

  useEffect(() => {
    api("/auth/user").then(setUser, (error) => (error.problem?.status === 401 ? setUser(null) : fail(error)));
  }, []);

  if (problem) return <Refused problem={problem} />;
  if (user === undefined) return <p>Loading …</p>;
  return (
    <main>
      <h1>Notes</h1>
      {user ? (
        <>
          <p id="user">
            Hello {user.email} <button id="out" onClick={() => signOut().catch(fail)}>Sign out</button>
          </p>
          <p>
            <a href="/">Notes</a> <a href="/reports">Reports</a>
          </p>
          {location.pathname === "/reports" ? <Reports fail={fail} /> : <Notes fail={fail} />}
        </>
      ) : (
        <p>
          You are not signed in. <button id="in" onClick={() => signIn()}>Sign in</button>
        </p>
      )}
    </main>
  );
}

function Notes({ fail }) {
  const [notes, setNotes] = useState([]);
  // The draft is in the tab's storage: it survives the way to the login page and back.
  const [draft, setDraft] = useState(sessionStorage.getItem("draft") ?? "");

  useEffect(() => {
    api("/api/notes").then(setNotes, fail);
  }, []);

  async function add(event) {
    event.preventDefault();
    sessionStorage.setItem("draft", draft);
    try {
      setNotes(await api("/api/notes", { method: "POST", body: { text: draft } }));
      sessionStorage.removeItem("draft");
      setDraft("");
    } catch (error) {
      fail(error);
    }
  }

  return (
    <>
      <ul>{notes.map((note, i) => <li key={i}>{note}</li>)}</ul>
      <form onSubmit={add}>
        <input id="draft" value={draft} onChange={(event) => setDraft(event.target.value)} />
        <button id="add">Add</button>
      </form>
    </>
  );
}

function Reports({ fail }) {
  const [reports, setReports] = useState([]);
  useEffect(() => {
    api("/api/reports").then(setReports, fail);
  }, []);
  return <ul>{reports.map((report) => <li key={report}>Report: {report}</li>)}</ul>;
}

// Refused shows what the service said: 403 lacks a permission, 503 can be tried again.
function Refused({ problem }) {
  return (
    <main>
      <h1>{problem.title}</h1>
      <p>{problem.detail}</p>
      <p>
        <a href="/">Back</a> {problem.correlation && <small>Reference: {problem.correlation}</small>}
      </p>
    </main>
  );
}
