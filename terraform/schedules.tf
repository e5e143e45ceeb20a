# The functions that the clock calls.

module "schedule" {
  source   = "./modules/schedule"
  for_each = { for name, function in local.functions : name => function.schedule if can(function.schedule) }

  name        = module.function[each.key].name
  project     = var.project
  region      = var.region
  description = local.functions[each.key].description
  schedule    = each.value
  timeout_s   = local.functions[each.key].timeout_s
  endpoint    = module.function[each.key].url
  audience    = module.function[each.key].url
  caller      = module.function[each.key].caller
}
