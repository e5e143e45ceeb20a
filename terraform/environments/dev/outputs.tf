output "database" {
  description = "The state, as SPILLWAY_STATE names it: with it, `spillway policy` gives its orders to the deployed functions."
  value       = module.spillway.database
}

output "url" {
  description = "The front door."
  value       = module.spillway.url
}
