output "accounts" {
  description = "Accounts that the functions run as."
  value       = { for name, function in module.function : name => function.account }
}

output "database" {
  description = "The state, as SPILLWAY_STATE names it: with it, `spillway policy` gives its orders to the deployed functions."
  value       = "firestore://${var.project}/${module.state.database}"
}

output "url" {
  description = "The front door."
  value       = module.function["gateway"].url
}

output "urls" {
  description = "Addresses of all functions."
  value       = { for name, function in module.function : name => function.url }
}
