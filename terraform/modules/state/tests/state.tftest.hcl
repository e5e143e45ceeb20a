mock_provider "google" {}

variables {
  deletion_protection = true
  location            = "us-central1"
  name                = "spillway"
  project             = "spillway-test"
  users               = { gateway = "serviceAccount:spillway-gateway@spillway-test.iam.gserviceaccount.com" }
}

run "a_protected_database_can_not_be_destroyed_and_keeps_its_past" {
  command = plan

  assert {
    condition     = google_firestore_database.state.delete_protection_state == "DELETE_PROTECTION_ENABLED" && google_firestore_database.state.point_in_time_recovery_enablement == "POINT_IN_TIME_RECOVERY_ENABLED"
    error_message = "The database is not protected."
  }
}

run "an_unprotected_one_goes_with_its_deployment" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = google_firestore_database.state.delete_protection_state == "DELETE_PROTECTION_DISABLED" && google_firestore_database.state.deletion_policy == "DELETE"
    error_message = "The database would be left behind."
  }
}

run "jobs_remove_themselves_and_the_field_is_described_once" {
  command = plan

  assert {
    condition     = length(google_firestore_field.expires["jobs"].ttl_config) == 1
    error_message = "Jobs stay for ever."
  }

  assert {
    condition     = !contains(keys(google_firestore_field.unindexed), "jobs.expires")
    error_message = "Two resources describe one field, and each undoes the other."
  }
}

run "access_is_to_this_database_alone" {
  command = plan

  assert {
    condition     = google_project_iam_member.user["gateway"].condition[0].expression == "resource.name == \"projects/spillway-test/databases/spillway\""
    error_message = "The grant reaches other databases."
  }
}

run "writes_by_others_than_the_functions_are_kept" {
  command = plan

  assert {
    condition     = tolist(google_project_iam_audit_config.writes[0].audit_log_config)[0].exempted_members == tolist(values(var.users))
    error_message = "The log would hold what functions do all the time."
  }
}

run "where_nobody_asks_the_projects_own_audit_stays" {
  command = plan

  variables {
    audited = false
  }

  assert {
    condition     = length(google_project_iam_audit_config.writes) == 0
    error_message = "What the project has set for Firestore would be replaced."
  }
}
