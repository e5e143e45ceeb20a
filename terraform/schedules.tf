# The functions that the clock calls.

module "schedule" {
  source   = "./modules/schedule"
  for_each = { for name, function in local.functions : name => function.schedule if can(function.schedule) }

  name        = module.function[each.key].name
  project     = var.project
  region      = var.region
  description = local.functions[each.key].description
  schedule    = each.value

  call = {
    caller    = module.function[each.key].caller
    timeout_s = local.functions[each.key].timeout_s
    url       = module.function[each.key].url
  }
}
