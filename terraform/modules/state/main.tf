# The documents that all functions share, and what the adapters' queries need.

locals {
  # A test holds this file and the queries of adapters/firestore_queries.py together.
  indexes = jsondecode(file("${path.module}/firestore_indexes.json"))

  unindexed = merge([
    for collection, fields in local.indexes.unindexed : {
      for field in fields : "${collection}.${field}" => { collection = collection, field = field }
      if field != lookup(local.indexes.expiring, collection, null)
    }
  ]...)
}

resource "google_firestore_database" "state" {
  project     = var.project
  name        = var.name
  location_id = var.location
  type        = "FIRESTORE_NATIVE"

  # Documents are compared by the time of their last update and never locked (adapters/firestore_store.py).
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = var.deletion_protection ? "POINT_IN_TIME_RECOVERY_ENABLED" : "POINT_IN_TIME_RECOVERY_DISABLED"
  delete_protection_state           = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy                   = "DELETE"
}

# Firestore indexes every field by itself: these are never asked for, and each index is a write that is paid for.
resource "google_firestore_field" "unindexed" {
  for_each = local.unindexed

  project    = var.project
  database   = google_firestore_database.state.name
  collection = each.value.collection
  field      = each.value.field

  index_config {}
}

# What is over removes itself. Times that rise with the clock would make a hot spot of an index.
resource "google_firestore_field" "expires" {
  for_each = local.indexes.expiring

  project    = var.project
  database   = google_firestore_database.state.name
  collection = each.key
  field      = each.value

  index_config {}
  ttl_config {}
}

resource "google_firestore_index" "query" {
  for_each = local.indexes.composite

  project     = var.project
  database    = google_firestore_database.state.name
  collection  = each.value.collection
  query_scope = "COLLECTION"

  dynamic "fields" {
    for_each = each.value.fields

    content {
      field_path = fields.value.field_path
      order      = fields.value.order
    }
  }
}

# Of this database only, not of others in the project.
resource "google_project_iam_member" "user" {
  for_each = var.users

  project = var.project
  role    = "roles/datastore.user"
  member  = each.value

  condition {
    title      = "spillway-state"
    expression = "resource.name == \"projects/${var.project}/databases/${google_firestore_database.state.name}\""
  }
}

# Who gives orders and makes keys from a laptop: Google knows the account, the state only what that machine says.
resource "google_project_iam_audit_config" "writes" {
  count = var.audited ? 1 : 0

  project = var.project
  # Firestore's name here.
  service = "datastore.googleapis.com"

  audit_log_config {
    log_type         = "DATA_WRITE"
    exempted_members = values(var.users)
  }
}
